use crate::Provenance;
use crate::row::table;

table! {
    /// One row per scenario and metric: what searches said of the configuration that they recommend, and what the second measurement printed, against its true value (the median over many draws), over simulated studies.
    table "study_shrinkage" version 1 key [scenario, metric];
    pub struct StudyShrinkageRow {
        /// What was searched.
        pub scenario: String,
        /// Column of table `trials`.
        pub metric: String,
        /// Studies: searches with a workload of their own, each followed by a second measurement.
        pub n_studies: u64,
        /// Configurations that one search compared, on average.
        pub candidates: f64,
        /// Mean over the studies of the search's value / true value - 1, of the recommended configuration.
        pub search_error: f64,
        /// Lower bound of the 95 % interval of `search_error`.
        pub search_error_lo: Option<f64>,
        /// Upper bound of the 95 % interval of `search_error`.
        pub search_error_hi: Option<f64>,
        /// Mean over the studies of the printed value / true value - 1.
        pub printed_error: f64,
        /// Lower bound of the 95 % interval of `printed_error`.
        pub printed_error_lo: Option<f64>,
        /// Upper bound of the 95 % interval of `printed_error`.
        pub printed_error_hi: Option<f64>,
        /// Share of the printed intervals that hold the true value; null when none was printed.
        pub held: Option<f64>,
        /// Independent draws behind each true value.
        pub truth_draws: u64,
        /// Always simulated: no server tells its true values.
        pub provenance: Provenance,
    }
}
