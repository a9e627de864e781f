use crate::Provenance;
use crate::row::table;

table! {
    /// One row per configuration and metric over fresh common seeds.
    table "stability" version 1 key [config_id, metric];
    pub struct StabilityRow {
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// Column of table `trials`, or `quality`.
        pub metric: String,
        /// Mean over the seeds.
        pub mean: f64,
        /// Standard deviation over the seeds; null for one seed.
        pub sd: Option<f64>,
        /// Lower bound of the 95 % t-interval of the mean.
        pub lo: Option<f64>,
        /// Upper bound of the 95 % t-interval of the mean.
        pub hi: Option<f64>,
        /// Seeds with a value.
        pub n_seeds: u64,
        /// Value that the search saw; never to be shown as the result.
        pub search_value: Option<f64>,
        /// Mean over seeds of value / baseline - 1, paired by seed; null for the baseline itself.
        pub delta: Option<f64>,
        /// Lower bound of the 95 % t-interval of `delta`.
        pub delta_lo: Option<f64>,
        /// Upper bound of the 95 % t-interval of `delta`.
        pub delta_hi: Option<f64>,
        /// Where the numbers come from.
        pub provenance: Provenance,
    }
}
