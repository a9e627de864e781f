use crate::row::table;

table! {
    /// One row per request of a real run and source of step times: what the simulator said, and what the server showed.
    table "predictions" version 1 key [source, request_id];
    pub struct PredictionRow {
        /// Where the simulator's step times come from: analytic, kernels or calibrated.
        pub source: String,
        /// The request in table `workload`.
        pub request_id: u64,
        /// Whether the calibration has seen it: left out of table `fidelity`.
        pub calibrated_on: bool,
        /// Simulated TTFT.
        pub ttft_s: f64,
        /// Lower end of its 90 % interval; null where the source has none.
        pub ttft_lo_s: Option<f64>,
        /// Upper end.
        pub ttft_hi_s: Option<f64>,
        /// Measured TTFT.
        pub measured_ttft_s: f64,
        /// Simulated TPOT; null for a single token.
        pub tpot_s: Option<f64>,
        /// Lower end of its 90 % interval; null where the source has none.
        pub tpot_lo_s: Option<f64>,
        /// Upper end.
        pub tpot_hi_s: Option<f64>,
        /// Measured TPOT; null for a single token.
        pub measured_tpot_s: Option<f64>,
        /// Simulated E2E.
        pub e2e_s: f64,
        /// Lower end of its 90 % interval; null where the source has none.
        pub e2e_lo_s: Option<f64>,
        /// Upper end.
        pub e2e_hi_s: Option<f64>,
        /// Measured E2E.
        pub measured_e2e_s: f64,
    }
}
