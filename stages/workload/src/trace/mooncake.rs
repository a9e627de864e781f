use serde::Deserialize;

use super::{Recorded, Request, TraceError};

/// One line of a Mooncake trace.
#[derive(Deserialize)]
struct Line {
    /// Milliseconds from the start; many requests share one value.
    timestamp: f64,
    input_length: u64,
    output_length: u64,
    /// Ids of the prompt's blocks, the last of which may be partial.
    #[serde(default)]
    hash_ids: Vec<u64>,
}

/// Reads a Mooncake trace (kvcache-ai/Mooncake, FAST25 release): JSON lines.
pub(super) fn read(file: &str, bytes: &[u8], block_tokens: u64) -> Result<Recorded, TraceError> {
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let requests = lines.map(|(number, line)| {
        request(line, block_tokens).map_err(|problem| TraceError::Line {
            file: file.to_owned(),
            line: number,
            problem,
        })
    });
    Ok(Recorded {
        block_tokens,
        ..Recorded::new(file, requests.collect::<Result<_, _>>()?)
    })
}

fn request(line: &[u8], block_tokens: u64) -> Result<Request, String> {
    let line: Line = serde_json::from_slice(line).map_err(|error| {
        format!(
            "{error}; expected an object with `timestamp` (ms), `input_length`, `output_length` and `hash_ids`"
        )
    })?;
    let blocks = line.input_length.div_ceil(block_tokens);
    if line.hash_ids.len() as u64 > blocks {
        let (ids, tokens) = (line.hash_ids.len(), line.input_length);
        return Err(format!(
            "has {ids} `hash_ids` for {tokens} tokens, which are {blocks} blocks of {block_tokens}: set `block_tokens` to the block size of this trace"
        ));
    }
    Ok(Request {
        arrival_s: line.timestamp / 1000.0,
        prompt_tokens: line.input_length,
        output_tokens: line.output_length,
        block_ids: line.hash_ids,
        category: "mooncake".to_owned(),
        ..Request::default()
    })
}
