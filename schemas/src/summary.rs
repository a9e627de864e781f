use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Provenance, Verdict};

/// The decision of a pipeline in one document: `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Pipeline.
    pub pipeline: String,
    /// Where the numbers come from.
    pub provenance: Provenance,
    /// Backend in words: kind, server, model, GPU.
    pub backend: String,
    /// Name of the baseline.
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
    /// Mean of the baseline.
    pub baseline: f64,
    /// Mean of the recommendation.
    pub recommended: f64,
    /// Relative difference, paired by seed.
    pub delta: f64,
    /// Lower bound of its 95 % interval.
    pub delta_lo: Option<f64>,
    /// Upper bound of its 95 % interval.
    pub delta_hi: Option<f64>,
    /// Whether the difference is for the better; null when its interval holds 0.
    pub better: Option<bool>,
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
