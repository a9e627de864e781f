use crate::Provenance;
use crate::row::table;

table! {
    /// One row per configuration: how many replicas the demand takes, and what they cost.
    table "plan" version 2 key [config_id];
    pub struct PlanRow {
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// The objective in words.
        pub slo: String,
        /// Highest sustainable request rate of one replica within the objective; null when not even the lowest rate tried is.
        pub max_rps: Option<f64>,
        /// One-sided 95 % upper bound, at `max_rps`, of the share of requests that miss the objective.
        pub miss_ucb: Option<f64>,
        /// Rate that the bisection found, before fresh draws confirmed or lowered it to `max_rps`; null without fresh draws.
        pub searched_rps: Option<f64>,
        /// Whether every rate tried below a sustainable one was sustainable too.
        pub monotone: bool,
        /// Highest sustainable rate per replica of several replicas, the shortest queue of which takes the next request; null when they were not simulated.
        pub pooled_rps: Option<f64>,
        /// Replicas that were simulated together.
        pub pooled_over: Option<u64>,
        /// Lowest rate tried that was not sustainable; null when none was found.
        pub limit_rps: Option<f64>,
        /// What broke first beyond `max_rps`.
        pub limited_by: Option<String>,
        /// Demand to plan for.
        pub peak_rps: f64,
        /// Share of `pooled_rps`, or else of `max_rps`, that a replica is planned to carry.
        pub headroom: f64,
        /// Replicas that carry the demand.
        pub replicas: Option<u64>,
        /// Spare replicas on top.
        pub spares: u64,
        /// GPUs of one replica.
        pub gpus_per_replica: u64,
        /// GPUs in all, spares included.
        pub gpus: Option<u64>,
        /// Price of all replicas, spares included.
        pub cost_usd_month: Option<f64>,
        /// Price per million output tokens at the demand.
        pub cost_per_mtok: Option<f64>,
        /// Price per million output tokens of requests that meet the objective, at the demand.
        pub cost_per_goodput_mtok: Option<f64>,
        /// Trials behind the row.
        pub n_trials: u64,
        /// Where the numbers come from.
        pub provenance: Provenance,
    }
}

table! {
    /// One row per configuration and error of the demand's estimate: what the demand takes if it is another.
    table "plan_sensitivity" version 1 key [config_id, demand_factor];
    pub struct PlanSensitivityRow {
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// Demand over the estimate.
        pub demand_factor: f64,
        /// The demand.
        pub peak_rps: f64,
        /// Replicas that carry it.
        pub replicas: u64,
        /// GPUs in all, spares included.
        pub gpus: u64,
        /// Price of all replicas, spares included.
        pub cost_usd_month: Option<f64>,
        /// Price per million output tokens at this demand.
        pub cost_per_mtok: Option<f64>,
        /// Share of its highest sustainable rate that each replica of the plan for the estimate carries under this demand; above 1 the plan fails.
        pub load_of_plan: f64,
    }
}

table! {
    /// One row per configuration and rate: latency of one replica over the offered rate.
    table "rate_curve" version 1 key [config_id, rate_scale];
    pub struct RateCurveRow {
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// Factor on the arrival rate of the workload.
        pub rate_scale: f64,
        /// Requests offered per second.
        pub offered_rps: f64,
        /// Requests finished per second.
        pub rps: Option<f64>,
        /// Time to first token: median, median over the draws.
        pub ttft_p50_s: Option<f64>,
        /// Time to first token: 95th percentile, median over the draws.
        pub ttft_p95_s: Option<f64>,
        /// End-to-end latency: median, median over the draws.
        pub e2e_p50_s: Option<f64>,
        /// End-to-end latency: 95th percentile, median over the draws.
        pub e2e_p95_s: Option<f64>,
        /// Lower bound of the 95 % interval of `e2e_p95_s`.
        pub e2e_p95_lo_s: Option<f64>,
        /// Upper bound of the 95 % interval of `e2e_p95_s`; null when the draws bound none.
        pub e2e_p95_hi_s: Option<f64>,
        /// Share of requests that met the objective.
        pub slo_share: Option<f64>,
        /// Whether the rate is sustainable.
        pub sustained: bool,
        /// Mean wait that the Allen-Cunneen formula gives for as many servers as the engine runs requests at once, s: a sanity line, which knows no batching. Null beyond its capacity, or when the engine's places are unknown.
        pub queue_model_wait_s: Option<f64>,
        /// Draws behind the row.
        pub n_draws: u64,
        /// Where the numbers come from.
        pub provenance: Provenance,
    }
}
