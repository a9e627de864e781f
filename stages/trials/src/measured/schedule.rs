//! From a draw of the workload to what the client is to send.

use sbt_client::{Ask, PromptWords};
use sbt_schemas::WorkloadRow;

use crate::draw::{Draw, tokens};

/// The schedule of a draw, in the order of its rows, with prompts drawn from `salt`.
pub(crate) fn asks(draw: &Draw, rate_scale: f64, salt: u64) -> Vec<Ask> {
    let rows = draw.rows.iter().enumerate();
    let asks = rows.map(|(index, row)| Ask {
        start_s: draw.start_s(index, rate_scale),
        after: draw.before[index],
        continues: row.continues,
        prompt_tokens: tokens(row.prompt_tokens),
        output_tokens: tokens(row.output_tokens),
        words: words(row, salt),
        measured: true,
        keep_text: false,
    });
    asks.collect()
}

/// Load that goes on while the last measured requests end, with what each asks for: the draw again from
/// its start, with other words, after `limit_s` no more. None for a load that follows its answers, or
/// comes all at once: there is no rate to keep.
pub(crate) fn drain(
    draw: &Draw,
    rate_scale: f64,
    salt: u64,
    limit_s: f64,
) -> Vec<(WorkloadRow, Ask)> {
    let last_s = draw.last_arrival_s / rate_scale;
    let follows = draw.before.iter().any(Option::is_some);
    let gaps = draw.rows.len().saturating_sub(1);
    if follows || last_s <= 0.0 || gaps == 0 {
        return Vec::new();
    }
    let period_s = last_s + last_s / gaps as f64;
    let ids = draw.rows.iter().map(|row| row.request_id);
    let next_id = ids.max().unwrap_or(0) + 1;
    let again = (next_id..).zip(draw.rows.iter().zip(asks(draw, rate_scale, salt)));
    let again = again.map(|(request_id, (row, ask))| {
        let row = WorkloadRow {
            request_id,
            ..row.clone()
        };
        let ask = Ask {
            start_s: ask.start_s + period_s,
            measured: false,
            ..ask
        };
        (row, ask)
    });
    again
        .filter(|(_, ask)| ask.start_s <= last_s + limit_s)
        .collect()
}

fn words(row: &WorkloadRow, salt: u64) -> PromptWords {
    match &row.prompt {
        Some(text) => PromptWords::Given(text.clone()),
        None => PromptWords::Drawn {
            salt,
            blocks: row.prefix_block_ids.clone(),
            block_tokens: tokens(row.prefix_block_tokens),
            request: row.request_id,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::asked;

    fn draw(rows: Vec<WorkloadRow>) -> Draw {
        Draw::all(&rows).remove(&0).unwrap()
    }

    #[test]
    fn open_loop_goes_on_at_its_rate_uncounted_and_with_other_words() {
        let draw = draw((0..5).map(|id| asked(id, id as f64)).collect());
        // twice the rate: the last arrival is at 2 s, the next would be at 2.5 s
        let more = drain(&draw, 2.0, 7, 1.0);
        let starts: Vec<f64> = more.iter().map(|(_, ask)| ask.start_s).collect();
        assert_eq!(starts, [2.5, 3.0]);
        let ids: Vec<u64> = more.iter().map(|(row, _)| row.request_id).collect();
        assert_eq!(ids, [5, 6]);
        assert!(more.iter().all(|(_, ask)| !ask.measured));
        let first = &asks(&draw, 2.0, 8)[0];
        assert_ne!(more[0].1.words, first.words);
        // no longer than the draw itself
        assert_eq!(drain(&draw, 2.0, 7, 600.0).len(), 5);
    }

    #[test]
    fn load_without_a_rate_of_its_own_does_not_go_on() {
        let turn = WorkloadRow {
            session: 0,
            turn: 1,
            ..asked(1, 3.0)
        };
        for rows in [
            vec![asked(0, 0.0), turn, asked(2, 4.0)],
            vec![asked(0, 0.0), asked(1, 0.0)],
            vec![asked(0, 3.0)],
        ] {
            assert!(drain(&draw(rows), 1.0, 7, 60.0).is_empty());
        }
    }
}
