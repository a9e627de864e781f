use crate::row::table;
use crate::{Phase, Provenance, RequestStatus, TokenSource};

table! {
    /// One row per request of a trial; times count from the trial's start.
    table "requests" version 3 key [config_id, draw, request_id];
    pub struct RequestRow {
        /// Memo key of the trial.
        pub trial_key: String,
        /// Identity of the configuration.
        pub config_id: String,
        /// Name of the configuration.
        pub config_name: String,
        /// Which draw of the workload was served.
        pub draw: u64,
        /// The request in table `workload`; in phase `drain` counted on from its last.
        pub request_id: u64,
        /// Category of the request.
        pub category: String,
        /// How it ended.
        pub status: RequestStatus,
        /// Only phase `measure` counts in latencies, rates and counts; tokens of the others are load like any other.
        pub phase: Phase,
        /// When the schedule wanted it sent.
        pub intended_s: f64,
        /// When the client turned to it: later than intended when the client is late, or as many are in flight as may be.
        pub dispatched_s: Option<f64>,
        /// When its connection began to be made; null when one was there.
        pub conn_start_s: Option<f64>,
        /// When its connection stood.
        pub conn_ready_s: Option<f64>,
        /// When the last byte of the last attempt was written.
        pub sent_s: Option<f64>,
        /// When the head of the answer arrived.
        pub headers_s: Option<f64>,
        /// When the first event of the stream arrived, with or without a token.
        pub first_event_s: Option<f64>,
        /// When its first token arrived, hidden reasoning included.
        pub first_token_s: Option<f64>,
        /// When its first token arrived that is no reasoning.
        pub first_output_s: Option<f64>,
        /// When its last token arrived, or when it failed.
        pub end_s: Option<f64>,
        /// Time to first token from the intended send.
        pub ttft_s: Option<f64>,
        /// Time to first token from the send, as most tools show it: it hides what the client waited.
        pub ttft_from_sent_s: Option<f64>,
        /// From the send to the first event, token or not: TTFT as `vllm bench serve` takes it.
        pub ttft_compat_vllm_s: Option<f64>,
        /// (last - first) / (tokens after the first event); null when there are none.
        pub tpot_s: Option<f64>,
        /// End-to-end latency from the intended send.
        pub e2e_s: Option<f64>,
        /// End-to-end latency from the send.
        pub e2e_from_sent_s: Option<f64>,
        /// Attempts made.
        pub attempts: u64,
        /// Tokens of the prompt: the server's count, else what was asked for.
        pub prompt_tokens: u64,
        /// Of these, served from the prefix cache when first scheduled.
        pub cached_tokens: Option<u64>,
        /// Tokens that came back.
        pub output_tokens: u64,
        /// Of these, reasoning.
        pub reasoning_tokens: Option<u64>,
        /// Where the count of output tokens comes from.
        pub token_source: TokenSource,
        /// Events of the stream that carried tokens.
        pub events: Option<u64>,
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
        /// Where `queue_s`, `prefill_s`, `decode_s` and `network_s` come from: the server's own fields, or inference from what the client saw.
        pub parts: Provenance,
        /// Times that it was preempted.
        pub preemptions: Option<u64>,
        /// Gaps between its tokens: each gap between events, divided by the tokens of the later event.
        pub itl_s: Vec<f64>,
        /// Gaps between its events, where an event carries several tokens; else empty.
        pub icl_s: Vec<f64>,
        /// HTTP status of the last attempt.
        pub http_status: Option<u64>,
        /// Why the server says that it ended.
        pub finish_reason: Option<String>,
        /// What went wrong, in the server's or the system's words, without keys.
        pub error: Option<String>,
        /// What is odd about it, in words with commas.
        pub warnings: Option<String>,
        /// Pause that the server asked for.
        pub retry_after_s: Option<f64>,
        /// Its name in the server's log.
        pub server_request_id: Option<String>,
        /// Whether it went over a connection that had served others.
        pub conn_reused: Option<bool>,
        /// Requests in flight when it was sent, itself included.
        pub in_flight: Option<u64>,
        /// Bytes of the answer.
        pub bytes_in: Option<u64>,
        /// Thread of the client that had it, from 0.
        pub shard: Option<u64>,
        /// Where the numbers come from.
        pub provenance: Provenance,
    }
}
