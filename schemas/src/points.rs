use crate::PointUse;
use crate::row::table;

table! {
    /// One row per measured point of a concurrency sweep, in the order of the file: what it was used for, or why it was not.
    table "points" version 1 key [id];
    pub struct PointRow {
        /// Identity in the file; its line where the file has none, or one twice.
        pub id: String,
        /// What the point was used for.
        pub used: PointUse,
        /// Why it was skipped.
        pub reason: Option<String>,
        /// Points whose host work and mixed attention are taken to be the same: model, data type of the weights, GPU, server.
        pub config_group: Option<String>,
        /// Model as the file names it.
        pub model: String,
        /// System as the file names it.
        pub system: String,
        /// Server and its version.
        pub server: String,
        /// Tokens of a prompt.
        pub input_tokens: Option<u64>,
        /// Tokens of an answer.
        pub output_tokens: Option<u64>,
        /// Requests in flight.
        pub concurrency: Option<u64>,
        /// GPUs that one engine is split over.
        pub tensor_parallel_size: Option<u64>,
        /// Engines.
        pub data_parallel_size: Option<u64>,
        /// Measured mean time to first token.
        pub measured_ttft_s: Option<f64>,
        /// Simulated mean time to first token; closed loops of equal lengths make it depend on details of the client.
        pub simulated_ttft_s: Option<f64>,
        /// Measured mean time per output token.
        pub measured_tpot_s: Option<f64>,
        /// Simulated mean time per output token.
        pub simulated_tpot_s: Option<f64>,
        /// simulated / measured - 1 of the time per output token.
        pub tpot_error: Option<f64>,
    }
}
