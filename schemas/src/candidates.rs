use crate::row::table;
use crate::{Outcome, Provenance};

table! {
    /// One row per configuration that a search evaluated, or that was measured again.
    table "candidates" version 2 key [sampler, evaluation];
    pub struct CandidateRow {
        /// Who proposed it: a sampler, `manual`, or `baseline`.
        pub sampler: String,
        /// Order of evaluation within its sampler, from 0.
        pub evaluation: u64,
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// Knobs that it sets, as canonical JSON.
        pub config: String,
        /// Trials behind the numbers.
        pub n_trials: u64,
        /// How its trials ended; the worst one.
        pub outcome: Outcome,
        /// Why, when not `ok`.
        pub reason: Option<String>,
        /// Where the numbers come from.
        pub provenance: Provenance,
        /// GPUs that one replica occupies.
        pub gpus: u64,
        /// Median TTFT.
        pub ttft_p50_s: Option<f64>,
        /// 95th percentile of TTFT.
        pub ttft_p95_s: Option<f64>,
        /// 99th percentile of TTFT.
        pub ttft_p99_s: Option<f64>,
        /// Median TPOT.
        pub tpot_p50_s: Option<f64>,
        /// 95th percentile of TPOT.
        pub tpot_p95_s: Option<f64>,
        /// Median E2E.
        pub e2e_p50_s: Option<f64>,
        /// 95th percentile of E2E.
        pub e2e_p95_s: Option<f64>,
        /// 99th percentile of E2E.
        pub e2e_p99_s: Option<f64>,
        /// Output tokens per second.
        pub tok_s: Option<f64>,
        /// Requests per second that met every objective.
        pub goodput_rps: Option<f64>,
        /// Share of requests that met every objective.
        pub slo_share: Option<f64>,
        /// Share of requests that ran into the time limit.
        pub timeout_rate: Option<f64>,
        /// Share of requests that ended otherwise than `ok`.
        pub error_rate: Option<f64>,
        /// p99 / p50 of E2E.
        pub tail_amp: Option<f64>,
        /// Peak device memory per GPU.
        pub vram_peak_mb: Option<f64>,
        /// Peak share of the KV cache in use.
        pub kv_peak: Option<f64>,
        /// Price of one replica.
        pub cost_usd_h: Option<f64>,
        /// Price per million output tokens.
        pub cost_per_mtok: Option<f64>,
        /// Price per million output tokens of requests that met every objective.
        pub cost_per_goodput_mtok: Option<f64>,
        /// Expected score of the configuration, 0 to 1; relative to the reference where the reference's score is unknown.
        pub quality: Option<f64>,
        /// Variant in table `quality` that the score is of.
        pub quality_variant: Option<String>,
        /// Whether it ended `ok` within every constraint.
        pub feasible: bool,
        /// Sum of relative violations of the constraints; null when it did not end `ok`.
        pub violation: Option<f64>,
        /// The constraints that it violates, with the values.
        pub violated: Option<String>,
        /// Rank by constrained domination, from 0; infeasible ones follow.
        pub rank: u64,
        /// Whether it is feasible and nothing dominates it; of finalists, with 95 % confidence.
        pub on_front: bool,
        /// Hypervolume that the front would lose without it, as a share; null off the front.
        pub hypervolume_share: Option<f64>,
        /// Probability that it is feasible, over resampled draws; null without several.
        pub p_feasible: Option<f64>,
        /// Probability that it is feasible and nothing dominates it, over the same resampled draws of all candidates; null without several.
        pub p_on_front: Option<f64>,
        /// Place among the recommendations, from 1; null when not recommended.
        pub recommended: Option<u64>,
        /// Reason of the recommendation, in words.
        pub why: Option<String>,
    }
}
