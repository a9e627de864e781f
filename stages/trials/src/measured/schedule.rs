//! From a draw of the workload to what the client is to send.

use sbt_client::{Ask, PromptWords};
use sbt_schemas::WorkloadRow;

use crate::draw::Draw;

/// The schedule of a draw, in the order of its rows, with prompts drawn from `salt`.
pub(crate) fn asks(draw: &Draw, rate_scale: f64, salt: u64) -> Vec<Ask> {
    let rows = draw.rows.iter().zip(&draw.before);
    let asks = rows.map(|(row, before)| Ask {
        start_s: match before {
            Some(_) => row.think_s.unwrap_or(0.0),
            None => row.arrival_s.unwrap_or(0.0) / rate_scale,
        },
        after: *before,
        continues: row.continues,
        prompt_tokens: tokens(row.prompt_tokens),
        output_tokens: tokens(row.output_tokens),
        words: words(row, salt),
        measured: true,
        keep_text: false,
    });
    asks.collect()
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

/// A count of tokens as requests take it.
fn tokens(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
