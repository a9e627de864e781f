use crate::row::table;

table! {
    /// One row per configuration and metric of table `trials`: what it may be, as the calibration leaves the simulator's coefficients open. Empty when none was drawn.
    table "intervals" version 1 key [config_id, metric];
    pub struct IntervalRow {
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// A column of table `trials`.
        pub metric: String,
        /// Its median over draws of the workload under the most likely coefficients; null where a trial has none.
        pub predicted: Option<f64>,
        /// Lower end of its 90 % interval over draws of the coefficients and of the workload: the nearest rank of 5 %. Null where a trial has none.
        pub lo: Option<f64>,
        /// Upper end: that of 95 %.
        pub hi: Option<f64>,
        /// Draws of the coefficients.
        pub posterior_draws: u64,
        /// Trials behind the interval: draws of the coefficients times those of the workload.
        pub trials: u64,
    }
}
