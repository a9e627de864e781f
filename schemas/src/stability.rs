use crate::Provenance;
use crate::row::table;

table! {
    /// One row per configuration and metric over fresh common seeds.
    table "stability" version 2 key [config_id, metric];
    pub struct StabilityRow {
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// Column of table `trials`, or `quality`.
        pub metric: String,
        /// Median over the seeds; of a share, its mean.
        pub value: f64,
        /// Standard deviation over the seeds; null for one seed.
        pub sd: Option<f64>,
        /// Lower bound of the 95 % interval of `value`: of the sign test from six seeds on, else the range of five, or Student's on the log scale; of a share, Student's.
        pub lo: Option<f64>,
        /// Upper bound of the 95 % interval of `value`.
        pub hi: Option<f64>,
        /// Why there are no bounds.
        pub unbounded: Option<String>,
        /// Seeds with a value.
        pub n_seeds: u64,
        /// Value that the search saw; never to be shown as the result.
        pub search_value: Option<f64>,
        /// Change against the baseline, paired by seed: Hodges-Lehmann estimate of value / baseline - 1; null for the baseline itself.
        pub delta: Option<f64>,
        /// Lower bound of the 95 % interval of `delta`: of Wilcoxon's signed-rank test from six seeds on, else the range of five, or Student's on the log scale.
        pub delta_lo: Option<f64>,
        /// Upper bound of the 95 % interval of `delta`.
        pub delta_hi: Option<f64>,
        /// p-value of Wilcoxon's signed-rank test that there is no change.
        pub p: Option<f64>,
        /// `p` adjusted for being one of the several claims of the report (Holm); null when the report does not claim it.
        pub p_adjusted: Option<f64>,
        /// The least share of which the interval says that the change is no larger, in either direction.
        pub no_larger_than: Option<f64>,
        /// Where the numbers come from.
        pub provenance: Provenance,
    }
}
