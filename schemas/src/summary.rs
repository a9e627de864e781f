use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Outcome, Provenance, Verdict};

/// What a pipeline decided or measured in one document: `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Pipeline.
    pub pipeline: String,
    /// Where the numbers come from.
    pub provenance: Provenance,
    /// Backend in words: kind, server, model, GPU.
    pub backend: String,
    /// Name of the baseline; empty without one.
    pub baseline: String,
    /// What to deploy; null when nothing is feasible.
    pub recommended: Option<Recommendation>,
    /// What it gains and costs against the baseline.
    pub effects: Vec<Effect>,
    /// Verdict of each gate.
    pub verdicts: BTreeMap<String, Verdict>,
    /// Capacity and cost of the recommendation.
    pub plan: Option<PlanSummary>,
    /// What each sampler found.
    pub samplers: Vec<SamplerSummary>,
    /// The trials of a pipeline that measures and decides nothing; empty for a decision.
    pub measurements: Vec<Measurement>,
    /// How far the simulator is off on a recorded run; empty otherwise.
    #[serde(default)]
    pub fidelity: Vec<FidelitySummary>,
}

/// How far one source of step times is off on a recorded run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FidelitySummary {
    /// Where the simulator's step times come from.
    pub source: String,
    /// Errors of the means of TTFT, TPOT and E2E, simulated / measured - 1.
    pub mean_errors: [Option<f64>; 3],
    /// Mean size of the errors of E2E of single requests.
    pub e2e_mape: Option<f64>,
    /// Share of the requests whose TTFT lies within its 90 % interval.
    pub ttft_coverage_90: Option<f64>,
    /// Requests behind it.
    pub n: u64,
}

/// A configuration to deploy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recommendation {
    /// Name of the configuration.
    pub config_name: String,
    /// Knobs that it sets.
    pub knobs: BTreeMap<String, serde_json::Value>,
    /// Command to paste.
    pub command: String,
    /// Why this one.
    pub why: String,
}

/// One metric of the recommendation against the baseline, over fresh common seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// Metric.
    pub metric: String,
    /// Median of the baseline over the seeds.
    pub baseline: f64,
    /// Median of the recommendation over the seeds.
    pub recommended: f64,
    /// Relative difference, paired by seed (Hodges-Lehmann).
    pub delta: f64,
    /// Lower bound of its 95 % interval.
    pub delta_lo: Option<f64>,
    /// Upper bound of its 95 % interval.
    pub delta_hi: Option<f64>,
    /// p-value that there is none, adjusted for the several claims of the report (Holm).
    pub p_adjusted: Option<f64>,
    /// Whether the difference is for the better; null when its adjusted p-value is 0.05 or more.
    pub better: Option<bool>,
    /// The least share of which the interval says that the difference is no larger.
    pub no_larger_than: Option<f64>,
    /// Seeds behind it.
    pub n_seeds: u64,
}

/// Capacity and cost of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanSummary {
    /// Highest sustainable request rate of one replica.
    pub max_rps: Option<f64>,
    /// Demand planned for.
    pub peak_rps: f64,
    /// Replicas, spares included.
    pub replicas: Option<u64>,
    /// GPUs in all.
    pub gpus: Option<u64>,
    /// Price of all.
    pub cost_usd_month: Option<f64>,
}

/// What one sampler found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SamplerSummary {
    /// The sampler.
    pub sampler: String,
    /// Configurations evaluated.
    pub evaluations: u64,
    /// Of these, feasible.
    pub feasible: u64,
    /// Hypervolume at the end; null without a baseline.
    pub hypervolume: Option<f64>,
}

/// One trial of a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// Name of the configuration.
    pub config_name: String,
    /// Which draw of the workload was served.
    pub draw: u64,
    /// Factor on the arrival rate of the workload.
    pub rate_scale: f64,
    /// Where the numbers come from.
    pub provenance: Provenance,
    /// When it was measured, RFC 3339 UTC; null when simulated.
    pub started_at: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, when not `ok`.
    pub reason: Option<String>,
    /// Requests in the measured part.
    pub n: u64,
    /// Of these, finished.
    pub n_ok: u64,
    /// Requests by how they ended, as `ok 190, stream_cut 10`.
    pub statuses: Option<String>,
    /// Time to first token, from the intended send.
    pub ttft: Latency,
    /// Time per output token after the first.
    pub tpot: Latency,
    /// End-to-end latency, from the intended send.
    pub e2e: Latency,
    /// Output tokens per second.
    pub tok_s: Option<f64>,
    /// Finished requests per second.
    pub rps: Option<f64>,
    /// Finished requests per second that met every service-level objective.
    pub goodput_rps: Option<f64>,
    /// Share of requests that met every service-level objective; failures miss.
    pub slo_share: Option<f64>,
}

/// Percentiles of one latency; failed requests stand above every value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Median.
    pub p50: Estimate,
    /// 95th percentile.
    pub p95: Estimate,
    /// 99th percentile.
    pub p99: Estimate,
}

/// One statistic of a latency, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The value; null when failed requests reach it, or nothing finished.
    pub value_s: Option<f64>,
    /// Lower bound of its 95 % interval.
    pub lo_s: Option<f64>,
    /// Upper bound of its 95 % interval; null when there are too few requests for one.
    pub hi_s: Option<f64>,
    /// The same statistic of the finished requests alone, whatever failed.
    pub finished_s: Option<f64>,
}
