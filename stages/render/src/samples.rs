//! Tables for tests.

use sbt_schemas::{AttributionRow, FidelityRow, RequestRow, TelemetryRow, TrialRow, WorkloadRow};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::inputs::Inputs;
use crate::params::Params;

/// A row of some columns over others; what neither has is null.
fn row<R: DeserializeOwned>(mut base: Value, columns: &Value) -> R {
    let columns = columns.as_object().cloned().unwrap_or_default();
    base.as_object_mut().unwrap().extend(columns);
    serde_json::from_value(base).unwrap()
}

/// A measured trial of 200 requests, of which all but 10 finished.
pub(crate) fn trial(columns: &Value) -> TrialRow {
    let base = json!({
        "trial_key": "key", "config_id": "id", "config_name": "endpoint", "config": "{}",
        "backend": "endpoint: http://127.0.0.1:8000/v1", "draw": 0, "rate_scale": 1.0,
        "outcome": "ok", "provenance": "measured", "started_at": "2026-08-01T12:00:00Z",
        "wall_s": 21.5, "n": 200, "n_ok": 190, "n_short": 0,
        "statuses": "ok 190, stream_cut 10", "gpus": 0,
        "ttft_p50_s": 0.0123, "ttft_p50_lo_s": 0.0119, "ttft_p50_hi_s": 0.0128,
        "ttft_ok_p50_s": 0.012, "ttft_ok_p95_s": 0.045, "ttft_ok_p99_s": 0.21,
        "ttft_from_sent_p50_s": 0.0115, "ttft_from_sent_p95_s": 0.044,
        "rps": 9.81, "lag_p50_s": 2e-5, "lag_p99_s": 4e-4, "lag_max_s": 0.0021,
        "server_version": "9.9.9",
    });
    row(base, columns)
}

/// A finished request; the numbers are seconds from the start.
pub(crate) fn request(id: u64, intended_s: f64, columns: &Value) -> RequestRow {
    let base = json!({
        "trial_key": "key", "config_id": "id", "config_name": "endpoint", "draw": 0,
        "request_id": id, "category": "chat", "status": "ok", "phase": "measure",
        "intended_s": intended_s, "ttft_s": 0.05, "e2e_s": 1.0, "attempts": 1,
        "prompt_tokens": 10, "output_tokens": 5, "token_source": "usage", "parts": "inferred",
        "itl_s": [], "icl_s": [], "provenance": "measured",
    });
    row(base, columns)
}

pub(crate) fn telemetry(time_s: f64, columns: &Value) -> TelemetryRow {
    let base = json!({
        "trial_key": "key", "config_id": "id", "config_name": "endpoint", "draw": 0,
        "time_s": time_s,
    });
    row(base, columns)
}

pub(crate) fn fidelity(
    metric: &str,
    statistic: &str,
    simulated: f64,
    measured: f64,
) -> FidelityRow {
    row(
        json!({
            "config_id": "id", "config_name": "endpoint", "metric": metric,
            "statistic": statistic, "source": "analytic", "simulated": simulated,
            "measured": measured, "error": simulated / measured - 1.0, "n": 190,
        }),
        &json!({}),
    )
}

/// All of E2E in one part.
pub(crate) fn part(provenance: &str) -> AttributionRow {
    row(
        json!({
            "config_id": "id", "config_name": "endpoint", "population": "all",
            "component": "decode", "seconds": 1.0, "share": 1.0, "n": 3,
            "provenance": provenance,
        }),
        &json!({}),
    )
}

pub(crate) fn asked(id: u64, columns: &Value) -> WorkloadRow {
    let base = json!({
        "draw": 0, "request_id": id, "session": id, "turn": 0, "arrival_s": id as f64,
        "continues": false, "prompt_tokens": 10, "output_tokens": 5, "prefix_block_ids": [],
        "prefix_block_tokens": 16, "category": "chat",
    });
    row(base, columns)
}

/// One measured trial: a warm-up, three requests that finished, and two that failed.
pub(crate) fn measurement() -> Inputs {
    let failed = |error: &str| json!({ "status": "stream_cut", "e2e_s": null, "error": error });
    Inputs {
        trials: vec![trial(&json!({}))],
        requests: vec![
            request(0, 0.0, &json!({ "phase": "warmup", "e2e_s": 99.0 })),
            request(1, 1.0, &json!({})),
            request(2, 2.0, &failed("unexpected end | of stream")),
            request(3, 3.0, &json!({ "e2e_s": 2.0 })),
            request(4, 4.0, &failed("another end")),
            request(5, 5.0, &json!({ "e2e_s": 4.0 })),
        ],
        telemetry: vec![
            telemetry(0.0, &json!({ "running": 1.0, "rss_mb": 900.0 })),
            telemetry(1.0, &json!({ "rss_mb": 950.0 })),
            telemetry(2.0, &json!({ "running": 3.0, "rss_mb": 990.0 })),
        ],
        ..Inputs::default()
    }
}

pub(crate) fn params() -> Params {
    serde_json::from_value(json!({
        "backend": {
            "kind": "simulator", "server": "vllm", "model": "llama-3.1-8b", "gpu": "h100-sxm",
            "gpus": 1,
        },
        "protocol": { "slo": { "ttft_p95_s": 0.5 } },
    }))
    .unwrap()
}
