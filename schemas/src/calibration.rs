use crate::row::table;

table! {
    /// One row per term of the step time: what a real run says its seconds are to be multiplied with. No rows: nothing was calibrated.
    table "calibration" version 2 key [term];
    pub struct CalibrationRow {
        /// What the time of an engine step is spent on.
        pub term: String,
        /// What its seconds are multiplied with: the exponential of `log_mean`; 1 is uncalibrated.
        pub coefficient: f64,
        /// Mean of the coefficient's logarithm after the run was seen; 0 before.
        pub log_mean: f64,
        /// Standard deviation of the logarithm after the run was seen.
        pub log_sd: f64,
        /// The same before.
        pub prior_log_sd: f64,
        /// Whether the run says something about it: `log_sd` is at most 0.8 times `prior_log_sd`.
        pub identified: bool,
        /// Covariance of the logarithm with that of each term, in the order of the rows.
        pub log_covariance: Vec<f64>,
        /// Requests that it was calibrated on: the first ones of the run. The same in every row, as are the next four.
        pub n: u64,
        /// What it was calibrated on: `steps`, the times of engine steps that the times of tokens tell, or `requests`, the latencies of requests.
        pub method: String,
        /// Standard deviation of log(measured / simulated) of one request's TTFT that remains.
        pub ttft_log_sd: f64,
        /// The same of TPOT.
        pub tpot_log_sd: f64,
        /// The same of E2E.
        pub e2e_log_sd: f64,
    }
}
