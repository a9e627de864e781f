//! Rows for tests.

use sbt_schemas::{Provenance, RequestRow, RequestStatus};

/// A request that finished: its tokens came evenly between the first and the end.
pub(crate) fn request(
    id: u64,
    intended_s: f64,
    ttft_s: f64,
    decode_s: f64,
    output_tokens: u64,
) -> RequestRow {
    let gaps = output_tokens - 1;
    let gap = decode_s / gaps as f64;
    RequestRow {
        trial_key: "key".to_owned(),
        config_id: "config".to_owned(),
        config_name: "name".to_owned(),
        draw: 0,
        request_id: id,
        category: "chat".to_owned(),
        status: RequestStatus::Ok,
        warmup: false,
        intended_s,
        sent_s: Some(intended_s),
        first_token_s: Some(intended_s + ttft_s),
        end_s: Some(intended_s + ttft_s + decode_s),
        ttft_s: Some(ttft_s),
        tpot_s: Some(gap),
        e2e_s: Some(ttft_s + decode_s),
        attempts: 1,
        prompt_tokens: 100,
        cached_tokens: Some(0),
        output_tokens,
        queue_s: Some(ttft_s / 2.0),
        prefill_s: Some(ttft_s / 2.0),
        decode_s: Some(decode_s),
        retry_s: Some(0.0),
        network_s: Some(0.0),
        preemptions: Some(0),
        itl_s: vec![gap; gaps as usize],
        provenance: Provenance::Simulated,
    }
}
