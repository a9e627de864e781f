use sbt_client::Lag;
use sbt_engine::Digest;
use sbt_schemas::{Outcome, Provenance, TrialRow};

use crate::TrialSpec;
use crate::metrics::Metrics;

/// Seconds in an hour.
const HOUR_S: f64 = 3600.0;
/// Tokens in the unit of prices.
const MILLION: f64 = 1e6;

/// What identifies a trial and does not come from its requests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub(crate) trial_key: String,
    pub(crate) config_id: String,
    pub(crate) config_name: String,
    pub(crate) config: String,
    pub(crate) backend: String,
    pub(crate) draw: u64,
    pub(crate) rate_scale: f64,
    pub(crate) gpus: u64,
    /// Price of one replica.
    pub(crate) cost_usd_h: Option<f64>,
}

impl Identity {
    /// Of a trial of `spec` on a backend where a replica occupies `gpus`.
    pub(crate) fn of(
        key: Digest,
        spec: &TrialSpec,
        backend: String,
        gpus: u64,
        cost_usd_h: Option<f64>,
    ) -> Self {
        Self {
            trial_key: key.to_string(),
            config_id: spec.config.id(),
            config_name: spec.config.name.clone(),
            config: spec.config.json(),
            backend,
            draw: spec.draw,
            rate_scale: spec.rate_scale,
            gpus,
            cost_usd_h,
        }
    }
}

/// Sizes of the engine, as far as they are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct EngineSizes {
    pub(crate) kv_cache_tokens: Option<u64>,
    pub(crate) num_gpu_blocks: Option<u64>,
    pub(crate) block_size: Option<u64>,
    pub(crate) max_num_seqs: Option<u64>,
    pub(crate) max_num_batched_tokens: Option<u64>,
    pub(crate) max_model_len: Option<u64>,
}

/// What the server itself showed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ServerState {
    pub(crate) vram_peak_mb: Option<f64>,
    pub(crate) kv_peak: Option<f64>,
    pub(crate) engine: EngineSizes,
    pub(crate) preemptions: Option<u64>,
    pub(crate) rss_peak_mb: Option<f64>,
    pub(crate) gpu_use_mean: Option<f64>,
    pub(crate) power_mean_w: Option<f64>,
    pub(crate) version: Option<String>,
}

/// When and how a trial was measured; none of it for a simulated one.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Execution {
    /// RFC 3339, UTC. A trial that has it is a measured one.
    pub(crate) started_at: Option<String>,
    pub(crate) wall_s: Option<f64>,
    pub(crate) lag: Option<Lag>,
    pub(crate) client_cpu: Option<f64>,
    pub(crate) warnings: Vec<String>,
    pub(crate) salt: Option<String>,
}

/// The row of a trial.
pub(crate) fn trial_row(
    identity: Identity,
    (outcome, reason): (Outcome, Option<String>),
    metrics: &Metrics,
    server: ServerState,
    execution: Execution,
) -> TrialRow {
    let cost_usd_h = identity.cost_usd_h;
    let per_mtok = |tok_s: Option<f64>| {
        let tok_s = tok_s.filter(|tok_s| *tok_s > 0.0)?;
        Some(cost_usd_h? / HOUR_S / tok_s * MILLION)
    };
    let throughput = metrics.throughput;
    TrialRow {
        trial_key: identity.trial_key,
        config_id: identity.config_id,
        config_name: identity.config_name,
        config: identity.config,
        backend: identity.backend,
        draw: identity.draw,
        rate_scale: identity.rate_scale,
        outcome,
        reason,
        provenance: match execution.started_at {
            Some(_) => Provenance::Measured,
            None => Provenance::Simulated,
        },
        started_at: execution.started_at,
        wall_s: execution.wall_s,
        n: metrics.n,
        n_ok: metrics.n_ok,
        n_short: metrics.n_short,
        statuses: metrics.statuses.clone(),
        ttft_mean_s: metrics.ttft.mean.value,
        ttft_mean_lo_s: metrics.ttft.mean.low,
        ttft_mean_hi_s: metrics.ttft.mean.high,
        ttft_p50_s: metrics.ttft.p50.value,
        ttft_p50_lo_s: metrics.ttft.p50.low,
        ttft_p50_hi_s: metrics.ttft.p50.high,
        ttft_p90_s: metrics.ttft.p90.value,
        ttft_p90_lo_s: metrics.ttft.p90.low,
        ttft_p90_hi_s: metrics.ttft.p90.high,
        ttft_p95_s: metrics.ttft.p95.value,
        ttft_p95_lo_s: metrics.ttft.p95.low,
        ttft_p95_hi_s: metrics.ttft.p95.high,
        ttft_p99_s: metrics.ttft.p99.value,
        ttft_p99_lo_s: metrics.ttft.p99.low,
        ttft_p99_hi_s: metrics.ttft.p99.high,
        tpot_mean_s: metrics.tpot.mean.value,
        tpot_mean_lo_s: metrics.tpot.mean.low,
        tpot_mean_hi_s: metrics.tpot.mean.high,
        tpot_p50_s: metrics.tpot.p50.value,
        tpot_p50_lo_s: metrics.tpot.p50.low,
        tpot_p50_hi_s: metrics.tpot.p50.high,
        tpot_p90_s: metrics.tpot.p90.value,
        tpot_p90_lo_s: metrics.tpot.p90.low,
        tpot_p90_hi_s: metrics.tpot.p90.high,
        tpot_p95_s: metrics.tpot.p95.value,
        tpot_p95_lo_s: metrics.tpot.p95.low,
        tpot_p95_hi_s: metrics.tpot.p95.high,
        tpot_p99_s: metrics.tpot.p99.value,
        tpot_p99_lo_s: metrics.tpot.p99.low,
        tpot_p99_hi_s: metrics.tpot.p99.high,
        itl_mean_s: metrics.itl.mean.value,
        itl_mean_lo_s: metrics.itl.mean.low,
        itl_mean_hi_s: metrics.itl.mean.high,
        itl_p50_s: metrics.itl.p50.value,
        itl_p50_lo_s: metrics.itl.p50.low,
        itl_p50_hi_s: metrics.itl.p50.high,
        itl_p90_s: metrics.itl.p90.value,
        itl_p90_lo_s: metrics.itl.p90.low,
        itl_p90_hi_s: metrics.itl.p90.high,
        itl_p95_s: metrics.itl.p95.value,
        itl_p95_lo_s: metrics.itl.p95.low,
        itl_p95_hi_s: metrics.itl.p95.high,
        itl_p99_s: metrics.itl.p99.value,
        itl_p99_lo_s: metrics.itl.p99.low,
        itl_p99_hi_s: metrics.itl.p99.high,
        e2e_mean_s: metrics.e2e.mean.value,
        e2e_mean_lo_s: metrics.e2e.mean.low,
        e2e_mean_hi_s: metrics.e2e.mean.high,
        e2e_p50_s: metrics.e2e.p50.value,
        e2e_p50_lo_s: metrics.e2e.p50.low,
        e2e_p50_hi_s: metrics.e2e.p50.high,
        e2e_p90_s: metrics.e2e.p90.value,
        e2e_p90_lo_s: metrics.e2e.p90.low,
        e2e_p90_hi_s: metrics.e2e.p90.high,
        e2e_p95_s: metrics.e2e.p95.value,
        e2e_p95_lo_s: metrics.e2e.p95.low,
        e2e_p95_hi_s: metrics.e2e.p95.high,
        e2e_p99_s: metrics.e2e.p99.value,
        e2e_p99_lo_s: metrics.e2e.p99.low,
        e2e_p99_hi_s: metrics.e2e.p99.high,
        ttft_ok_p50_s: metrics.ok.ttft.p50.value,
        ttft_ok_p95_s: metrics.ok.ttft.p95.value,
        ttft_ok_p99_s: metrics.ok.ttft.p99.value,
        tpot_ok_p50_s: metrics.ok.tpot.p50.value,
        tpot_ok_p95_s: metrics.ok.tpot.p95.value,
        tpot_ok_p99_s: metrics.ok.tpot.p99.value,
        e2e_ok_p50_s: metrics.ok.e2e.p50.value,
        e2e_ok_p95_s: metrics.ok.e2e.p95.value,
        e2e_ok_p99_s: metrics.ok.e2e.p99.value,
        ttft_from_sent_p50_s: metrics.ok.ttft_from_sent.p50.value,
        ttft_from_sent_p95_s: metrics.ok.ttft_from_sent.p95.value,
        tok_s: throughput.map(|t| t.tok_s),
        rps: throughput.map(|t| t.rps),
        goodput_rps: throughput.map(|t| t.goodput_rps),
        slo_share: metrics.slo_share,
        timeout_rate: metrics.timeout_rate,
        error_rate: metrics.error_rate,
        retry_rate: metrics.retry_rate,
        tail_amp: metrics.tail_amp(),
        vram_peak_mb: server.vram_peak_mb,
        kv_peak: server.kv_peak,
        kv_cache_tokens: server.engine.kv_cache_tokens,
        num_gpu_blocks: server.engine.num_gpu_blocks,
        block_size: server.engine.block_size,
        max_num_seqs: server.engine.max_num_seqs,
        max_num_batched_tokens: server.engine.max_num_batched_tokens,
        max_model_len: server.engine.max_model_len,
        prefix_hit_rate: metrics.prefix_hit_rate,
        preemptions: server.preemptions,
        rss_peak_mb: server.rss_peak_mb,
        gpu_use_mean: server.gpu_use_mean,
        power_mean_w: server.power_mean_w,
        lag_p50_s: execution.lag.map(|lag| lag.p50_s),
        lag_p99_s: execution.lag.map(|lag| lag.p99_s),
        lag_max_s: execution.lag.map(|lag| lag.max_s),
        client_cpu: execution.client_cpu,
        tokens_per_event: metrics.tokens_per_event,
        server_version: server.version,
        warnings: (!execution.warnings.is_empty()).then(|| execution.warnings.join(" ")),
        salt: execution.salt,
        gpus: identity.gpus,
        cost_usd_h,
        cost_per_mtok: per_mtok(throughput.map(|t| t.tok_s)),
        cost_per_goodput_mtok: per_mtok(throughput.map(|t| t.good_tok_s)),
    }
}
