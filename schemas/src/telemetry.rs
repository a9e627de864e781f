use crate::row::table;

table! {
    /// One row per sample of a server under test. What could not be read is null.
    table "telemetry" version 1 key [trial_key, time_s];
    pub struct TelemetryRow {
        /// Memo key of the trial.
        pub trial_key: String,
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// Which draw of the workload was served.
        pub draw: u64,
        /// When, from the trial's start.
        pub time_s: f64,
        /// Requests that the server runs.
        pub running: Option<f64>,
        /// Requests that wait in the server.
        pub waiting: Option<f64>,
        /// Share of the KV cache in use.
        pub kv_usage: Option<f64>,
        /// Preemptions since the server's start.
        pub preemptions: Option<f64>,
        /// Prompt tokens looked up in the prefix cache since the server's start.
        pub prefix_queries: Option<f64>,
        /// Of these, found.
        pub prefix_hits: Option<f64>,
        /// Output tokens since the server's start.
        pub generated_tokens: Option<f64>,
        /// Device memory in use on the fullest GPU.
        pub vram_mb: Option<f64>,
        /// Share of the time in which the busiest GPU worked.
        pub gpu_use: Option<f64>,
        /// Power of all GPUs together.
        pub power_w: Option<f64>,
        /// Temperature of the hottest GPU.
        pub temperature_c: Option<f64>,
        /// Clock of the slowest GPU's streaming multiprocessors.
        pub sm_clock_mhz: Option<f64>,
        /// Why GPUs run slower than they could: NVML's reasons, with commas.
        pub throttle: Option<String>,
        /// Resident memory of the server's processes.
        pub rss_mb: Option<f64>,
        /// Processor cores that the server's processes use.
        pub cpu_cores: Option<f64>,
    }
}
