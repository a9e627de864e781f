use crate::Provenance;
use crate::row::table;

table! {
    /// One row per kind of interval, load and metric: how often nominal 95 % intervals held the true value, which many independent draws of the workload give.
    table "study_coverage" version 1 key [interval, load, metric, draws];
    pub struct StudyCoverageRow {
        /// What the interval is of: `trial` (a percentile, from the requests of one trial), `median` (of a metric over draws) or `change` (of a metric against the baseline, paired by draw).
        pub interval: String,
        /// Offered rate over the rate at which the saturated server finishes requests.
        pub load: f64,
        /// Column of table `trials`.
        pub metric: String,
        /// Draws behind one interval.
        pub draws: u64,
        /// Measured requests of one draw.
        pub n_requests: u64,
        /// Share of the intervals that should hold the true value.
        pub nominal: f64,
        /// Share of those with finite bounds that did; null without one.
        pub coverage: Option<f64>,
        /// Lower bound of the 95 % interval of `coverage` (Wilson).
        pub coverage_lo: Option<f64>,
        /// Upper bound of the 95 % interval of `coverage` (Wilson).
        pub coverage_hi: Option<f64>,
        /// Share of the intervals with finite bounds; the others say that they have none.
        pub defined: f64,
        /// Share of those with finite bounds that lie below the true value.
        pub too_low: Option<f64>,
        /// Intervals tried.
        pub n: u64,
        /// The true value.
        pub truth: f64,
        /// Mean width of the intervals over the true value; of a change, the mean width.
        pub width: Option<f64>,
        /// Always simulated: no server tells its true values.
        pub provenance: Provenance,
    }
}
