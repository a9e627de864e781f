//! Rows for tests.

use sbt_schemas::{Provenance, RequestRow, RequestStatus, WorkloadRow};

use crate::request_row::unsent;
use crate::trial_row::Identity;

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
    let trial = Identity {
        trial_key: "key".to_owned(),
        config_id: "config".to_owned(),
        config_name: "name".to_owned(),
        config: "{}".to_owned(),
        backend: "simulator".to_owned(),
        draw: 0,
        rate_scale: 1.0,
        gpus: 1,
        cost_usd_h: None,
    };
    RequestRow {
        status: RequestStatus::Ok,
        intended_s,
        sent_s: Some(intended_s),
        first_token_s: Some(intended_s + ttft_s),
        end_s: Some(intended_s + ttft_s + decode_s),
        ttft_s: Some(ttft_s),
        tpot_s: Some(gap),
        e2e_s: Some(ttft_s + decode_s),
        attempts: 1,
        cached_tokens: Some(0),
        output_tokens,
        queue_s: Some(ttft_s / 2.0),
        prefill_s: Some(ttft_s / 2.0),
        decode_s: Some(decode_s),
        retry_s: Some(0.0),
        network_s: Some(0.0),
        preemptions: Some(0),
        itl_s: vec![gap; gaps as usize],
        ..unsent(
            &trial,
            &WorkloadRow {
                output_tokens,
                ..asked(id, intended_s)
            },
            Provenance::Simulated,
        )
    }
}

/// A request of 100 and 10 tokens, alone in its session.
pub(crate) fn asked(id: u64, arrival_s: f64) -> WorkloadRow {
    WorkloadRow {
        draw: 0,
        request_id: id,
        session: id,
        turn: 0,
        arrival_s: Some(arrival_s),
        think_s: None,
        continues: false,
        prompt_tokens: 100,
        output_tokens: 10,
        prefix_block_ids: Vec::new(),
        prefix_block_tokens: 16,
        category: "chat".to_owned(),
        prompt: None,
    }
}
