use crate::row::table;

table! {
    /// One row per scenario, sampler and number of evaluations: what the sampler had found by then, over independent seeds, each configuration judged by its mean over draws that no search served.
    table "study" version 1 key [scenario, sampler, evals];
    pub struct StudyRow {
        /// The server that the sampler was to tune.
        pub scenario: String,
        /// The sampler.
        pub sampler: String,
        /// Configurations evaluated.
        pub evals: u64,
        /// Seeds of the sampler that evaluated so many.
        pub n_seeds: u64,
        /// Hypervolume of the truly feasible configurations, as a share of the hypervolume of all known ones of the scenario; mean over seeds.
        pub hypervolume: f64,
        /// Lower bound of the 95 % t-interval of the mean; null for one seed.
        pub hypervolume_lo: Option<f64>,
        /// Upper bound of the 95 % t-interval of the mean.
        pub hypervolume_hi: Option<f64>,
        /// The same share for the sampler `random` after as many evaluations; null where it did not run.
        pub random_hypervolume: Option<f64>,
        /// Lower bound of its 95 % t-interval.
        pub random_hypervolume_lo: Option<f64>,
        /// Upper bound of its 95 % t-interval.
        pub random_hypervolume_hi: Option<f64>,
        /// How much worse the best truly feasible value of the first objective is than the best known, relative to it; mean over seeds, null when a seed has nothing feasible.
        pub regret: Option<f64>,
        /// Mean over seeds of the hypervolume minus that of random, paired by seed; null for random itself.
        pub gain: Option<f64>,
        /// Lower bound of the 95 % t-interval of `gain`.
        pub gain_lo: Option<f64>,
        /// Upper bound of the 95 % t-interval of `gain`.
        pub gain_hi: Option<f64>,
        /// Whether `gain_lo` is above 0: the paired t-test of that level; null where there is nothing to test.
        pub beats_random: Option<bool>,
    }
}
