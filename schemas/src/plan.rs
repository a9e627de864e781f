use crate::Provenance;
use crate::row::table;

table! {
    /// One row per configuration: how many replicas the demand takes, and what they cost.
    table "plan" version 1 key [config_id];
    pub struct PlanRow {
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// The objective in words.
        pub slo: String,
        /// Highest sustainable request rate of one replica within the objective; null when not even the lowest rate tried is.
        pub max_rps: Option<f64>,
        /// Lowest rate tried that was not sustainable; null when none was found.
        pub limit_rps: Option<f64>,
        /// What broke first beyond `max_rps`.
        pub limited_by: Option<String>,
        /// Demand to plan for.
        pub peak_rps: f64,
        /// Share of `max_rps` that a replica is planned to carry.
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
        /// Trials behind the row.
        pub n_trials: u64,
        /// Where the numbers come from.
        pub provenance: Provenance,
    }
}
