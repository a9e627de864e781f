use crate::row::table;

table! {
    /// One row per configuration, metric and statistic: what the simulator said, and what a real server showed.
    table "fidelity" version 1 key [config_name, metric, statistic, source];
    pub struct FidelityRow {
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// What is compared: ttft, tpot, e2e, or a whole metric of table `trials`.
        pub metric: String,
        /// Statistic of the metric: mean, p50, p90, p95, p99, or value; mape, the mean of the absolute errors of single requests; coverage_90, the share of requests within their 90 % interval, with 0.9 as the simulated value.
        pub statistic: String,
        /// Where the simulator's step times come from: analytic, kernels or calibrated.
        pub source: String,
        /// Simulated value, in the metric's unit.
        pub simulated: Option<f64>,
        /// Measured value, in the metric's unit.
        pub measured: Option<f64>,
        /// simulated / measured - 1; of mape, the value itself.
        pub error: Option<f64>,
        /// Requests behind the measured value.
        pub n: u64,
    }
}
