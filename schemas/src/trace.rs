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
        /// Normalised hypervolume of the feasible ones so far; the reference point is fixed per study.
        pub hypervolume: f64,
        /// Best value so far of the first objective among feasible ones.
        pub best: Option<f64>,
    }
}
