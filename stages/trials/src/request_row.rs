use sbt_schemas::{Phase, Provenance, RequestRow, RequestStatus, TokenSource, WorkloadRow};

use crate::trial_row::Identity;

/// The row of a request of which nothing is known yet but that the schedule holds it.
pub(crate) fn unsent(trial: &Identity, row: &WorkloadRow, provenance: Provenance) -> RequestRow {
    RequestRow {
        trial_key: trial.trial_key.clone(),
        config_id: trial.config_id.clone(),
        config_name: trial.config_name.clone(),
        draw: trial.draw,
        request_id: row.request_id,
        category: row.category.clone(),
        status: RequestStatus::NotSentLate,
        phase: Phase::Measure,
        intended_s: 0.0,
        dispatched_s: None,
        conn_start_s: None,
        conn_ready_s: None,
        sent_s: None,
        headers_s: None,
        first_event_s: None,
        first_token_s: None,
        first_output_s: None,
        end_s: None,
        ttft_s: None,
        ttft_from_sent_s: None,
        ttft_compat_vllm_s: None,
        tpot_s: None,
        e2e_s: None,
        e2e_from_sent_s: None,
        attempts: 0,
        prompt_tokens: row.prompt_tokens,
        cached_tokens: None,
        output_tokens: 0,
        reasoning_tokens: None,
        token_source: match provenance {
            Provenance::Simulated => TokenSource::Simulator,
            Provenance::Measured | Provenance::Inferred => TokenSource::Events,
        },
        events: None,
        queue_s: None,
        prefill_s: None,
        decode_s: None,
        retry_s: None,
        network_s: None,
        parts: provenance,
        preemptions: None,
        itl_s: Vec::new(),
        icl_s: Vec::new(),
        http_status: None,
        finish_reason: None,
        error: None,
        warnings: None,
        retry_after_s: None,
        server_request_id: None,
        conn_reused: None,
        in_flight: None,
        bytes_in: None,
        shard: None,
        provenance,
    }
}

/// Gaps between tokens: those of one event share its gap evenly.
pub(crate) fn token_gaps(events: &[(f64, u32)]) -> Vec<f64> {
    let pairs = events.windows(2);
    let gaps = pairs.flat_map(|pair| {
        let (gap, tokens) = (pair[1].0 - pair[0].0, pair[1].1.max(1));
        std::iter::repeat_n(gap / f64::from(tokens), tokens as usize)
    });
    gaps.collect()
}

/// Gaps between events, where they differ from those between tokens.
pub(crate) fn event_gaps(events: &[(f64, u32)]) -> Vec<f64> {
    if events.iter().all(|(_, tokens)| *tokens == 1) {
        return Vec::new();
    }
    events
        .windows(2)
        .map(|pair| pair[1].0 - pair[0].0)
        .collect()
}

/// The first requests in order of the intended send are the warm-up.
pub(crate) fn phases(intended_s: impl Iterator<Item = f64>, warmup_requests: u64) -> Vec<Phase> {
    let intended_s: Vec<f64> = intended_s.collect();
    let mut order: Vec<usize> = (0..intended_s.len()).collect();
    order.sort_by(|&a, &b| intended_s[a].total_cmp(&intended_s[b]).then(a.cmp(&b)));
    let mut phases = vec![Phase::Measure; intended_s.len()];
    for (index, _) in order.into_iter().zip(0..warmup_requests) {
        phases[index] = Phase::Warmup;
    }
    phases
}
