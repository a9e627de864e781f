//! From what the client saw of a request to its row: every definition of a latency stands here.

use sbt_client::{Observed, ServerTimings};
use sbt_schemas::{Phase, Provenance, RequestRow, WorkloadRow};

use crate::request_row::{event_gaps, token_gaps, unsent};
use crate::trial_row::Identity;

pub(crate) fn request_row(
    trial: &Identity,
    row: &WorkloadRow,
    phase: Phase,
    seen: &Observed,
) -> RequestRow {
    let since = |start: Option<f64>, time: Option<f64>| Some(time? - start?);
    let complete = seen.status.is_complete();
    let intended = Some(seen.intended_s);
    let end_s = if complete {
        seen.last_token_s
    } else {
        seen.end_s
    };
    let decode_s = since(seen.first_token_s, seen.last_token_s);
    let ttft_from_sent_s = since(seen.sent_s, seen.first_token_s);
    let parts = Parts::of(seen.server, ttft_from_sent_s);
    RequestRow {
        status: seen.status,
        shard: Some(seen.shard),
        phase,
        intended_s: seen.intended_s,
        dispatched_s: seen.dispatched_s,
        conn_start_s: seen.conn_start_s,
        conn_ready_s: seen.conn_ready_s,
        sent_s: seen.sent_s,
        headers_s: seen.headers_s,
        first_event_s: seen.first_event_s,
        first_token_s: seen.first_token_s,
        first_output_s: seen.first_output_s,
        end_s,
        ttft_s: since(intended, seen.first_token_s),
        ttft_from_sent_s,
        ttft_compat_vllm_s: since(seen.sent_s, seen.first_event_s),
        tpot_s: decode_s
            .filter(|_| complete)
            .and_then(|decode_s| tpot(decode_s, seen)),
        e2e_s: since(intended, end_s).filter(|_| complete),
        e2e_from_sent_s: since(seen.sent_s, end_s).filter(|_| complete),
        attempts: seen.attempts,
        prompt_tokens: seen.prompt_tokens.unwrap_or(row.prompt_tokens),
        cached_tokens: seen.cached_tokens,
        output_tokens: seen.output_tokens,
        reasoning_tokens: seen.reasoning_tokens,
        token_source: seen.source,
        events: (!seen.events.is_empty()).then_some(seen.events.len() as u64),
        queue_s: parts.queue_s,
        prefill_s: parts.prefill_s,
        decode_s,
        retry_s: since(intended, seen.sent_s),
        network_s: parts.network_s,
        parts: parts.provenance,
        itl_s: token_gaps(&seen.events),
        icl_s: event_gaps(&seen.events),
        http_status: seen.http_status.map(u64::from),
        finish_reason: seen.finish_reason.clone(),
        error: seen.error.clone(),
        warnings: words(seen),
        retry_after_s: seen.retry_after_s,
        server_request_id: seen.server_request_id.clone(),
        conn_reused: seen.conn_reused,
        in_flight: seen.in_flight_at_send,
        bytes_in: Some(seen.bytes_in),
        ..unsent(trial, row, Provenance::Measured)
    }
}

/// Time per token after the first event, whose tokens the first token's time paid for.
fn tpot(decode_s: f64, seen: &Observed) -> Option<f64> {
    let (_, first) = seen.events.first()?;
    let later = seen.output_tokens.checked_sub(u64::from(*first));
    let later = later.filter(|later| *later > 0)?;
    Some(decode_s / later as f64)
}

fn words(seen: &Observed) -> Option<String> {
    let words: Vec<&str> = seen.warnings.iter().map(|warning| warning.word()).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// Where the time up to the first token went.
struct Parts {
    queue_s: Option<f64>,
    prefill_s: Option<f64>,
    network_s: Option<f64>,
    provenance: Provenance,
}

impl Parts {
    /// From the server's own fields, where they tell all; the rest is inferred later, from all
    /// requests of the trial.
    fn of(server: ServerTimings, ttft_from_sent_s: Option<f64>) -> Self {
        if let (Some(queue_s), Some(server_s), Some(client_s)) =
            (server.queue_s, server.ttft_s, ttft_from_sent_s)
        {
            return Self {
                queue_s: Some(queue_s),
                prefill_s: Some((server_s - queue_s).max(0.0)),
                network_s: Some((client_s - server_s).max(0.0)),
                provenance: Provenance::Measured,
            };
        }
        Self {
            queue_s: server.queue_s,
            prefill_s: server.prefill_s,
            network_s: None,
            provenance: Provenance::Inferred,
        }
    }
}

/// Fills in the parts that the server did not tell: a prompt's prefill is taken to last as long
/// per uncached token as the fastest of the trial's, the rest of TTFT is waiting, and the network
/// is nothing. Rows filled in are marked [`Provenance::Inferred`].
pub(crate) fn infer_parts(rows: &mut [RequestRow]) {
    let computed = |row: &RequestRow| {
        let cached = row.cached_tokens.unwrap_or(0).min(row.prompt_tokens);
        (row.prompt_tokens - cached).max(1) as f64
    };
    let rates = rows.iter().filter(|row| row.status.is_complete());
    let rates = rates.filter_map(|row| Some(row.ttft_from_sent_s? / computed(row)));
    let Some(fastest) = rates.reduce(f64::min) else {
        return;
    };
    for row in rows.iter_mut().filter(|row| row.network_s.is_none()) {
        let Some(ttft_s) = row.ttft_from_sent_s else {
            continue;
        };
        let prefill_s = row.prefill_s.unwrap_or_else(|| fastest * computed(row));
        let prefill_s = prefill_s.min(ttft_s);
        row.prefill_s = Some(prefill_s);
        row.queue_s = Some(ttft_s - prefill_s);
        row.network_s = Some(0.0);
    }
}
