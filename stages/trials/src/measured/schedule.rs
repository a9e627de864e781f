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
