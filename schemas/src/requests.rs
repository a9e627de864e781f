use crate::row::table;
use crate::{Provenance, RequestStatus};

table! {
    /// One row per request of a trial; times count from the trial's start.
    table "requests" version 1 key [config_id, draw, request_id];
    pub struct RequestRow {
        /// Memo key of the trial.
        pub trial_key: String,
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// Which draw of the workload was served.
        pub draw: u64,
        /// The request in table `workload`.
        pub request_id: u64,
        /// Category of the request.
        pub category: String,
        /// How it ended.
        pub status: RequestStatus,
        /// Whether it belongs to the warm-up: left out of latencies, rates and counts, but its tokens are load like any other.
        pub warmup: bool,
        /// When the schedule wanted it sent.
        pub intended_s: f64,
        /// When the last attempt was sent.
        pub sent_s: Option<f64>,
        /// When its first token arrived.
        pub first_token_s: Option<f64>,
        /// When its last token arrived, or when it failed.
        pub end_s: Option<f64>,
        /// Time to first token from the intended send.
        pub ttft_s: Option<f64>,
        /// (last - first) / (n - 1); null for a single token.
        pub tpot_s: Option<f64>,
        /// End-to-end latency from the intended send.
        pub e2e_s: Option<f64>,
        /// Attempts made.
        pub attempts: u64,
        /// Tokens of the prompt.
        pub prompt_tokens: u64,
        /// Of these, served from the prefix cache when first scheduled.
        pub cached_tokens: Option<u64>,
        /// Tokens that came back.
        pub output_tokens: u64,
        /// Waiting in the server before its first schedule.
        pub queue_s: Option<f64>,
        /// From first schedule to first token.
        pub prefill_s: Option<f64>,
        /// From first to last token.
        pub decode_s: Option<f64>,
        /// From the intended send to the start of the last attempt: the client's own limit, failed attempts and back-off.
        pub retry_s: Option<f64>,
        /// Network and front end.
        pub network_s: Option<f64>,
        /// Times that it was preempted.
        pub preemptions: Option<u64>,
        /// Gaps between its tokens.
        pub itl_s: Vec<f64>,
        /// Where the numbers come from.
        pub provenance: Provenance,
    }
}
