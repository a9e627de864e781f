use crate::row::table;

table! {
    /// One row per evaluation of a search: what it had found by then.
    table "trace" version 1 key [sampler, evaluation];
    pub struct TraceRow {
        /// The sampler.
        pub sampler: String,
        /// Evaluation, from 0.
        pub evaluation: u64,
        /// Configuration evaluated.
        pub config_id: String,
        /// Whether it was feasible.
        pub feasible: bool,
        /// Feasible configurations so far.
        pub n_feasible: u64,
        /// Hypervolume of the feasible ones so far, in logs of the ratio to the baseline, up to 1.1 times the baseline; null without a baseline.
        pub hypervolume: Option<f64>,
        /// Best value so far of the first objective among feasible ones.
        pub best: Option<f64>,
    }
}
