use std::time::Instant;

use sbt_schemas::{RequestStatus, TokenSource};

/// What is odd about a request that may still be a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// A reason to end came, the terminator `[DONE]` did not.
    NoDone,
    /// No token counts came although they were asked for.
    NoUsage,
    /// The server counts other tokens than the events tell.
    UsageMismatch,
    /// It was sent more than 2 ms after its time.
    LateSend,
    /// Events carry several tokens.
    MultiTokenChunks,
    /// Pings alone came for more than a second.
    PingOnlyGap,
    /// The server asked for a pause.
    RetryAfter,
    /// The answer came whole, although a stream was asked for: there is no time to first token.
    NotStreamed,
    /// The server counts reasoning that it does not show: the first token hides thinking.
    HiddenReasoning,
}

impl Warning {
    /// The word in tables.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoDone => "no_done",
            Self::NoUsage => "no_usage",
            Self::UsageMismatch => "usage_mismatch",
            Self::LateSend => "late_send",
            Self::MultiTokenChunks => "multi_token_chunks",
            Self::PingOnlyGap => "ping_only_gap",
            Self::RetryAfter => "retry_after",
            Self::NotStreamed => "not_streamed",
            Self::HiddenReasoning => "hidden_reasoning",
        }
    }
}

/// Where a request's time went, as the server says, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ServerTimings {
    /// Waiting before its first schedule (vLLM `queue_time_ms`).
    pub queue_s: Option<f64>,
    /// Working on the prompt (llama.cpp `prompt_ms`).
    pub prefill_s: Option<f64>,
    /// From its arrival at the server to its first token (vLLM `time_to_first_token_ms`).
    pub ttft_s: Option<f64>,
    /// From first to last token (vLLM `generation_time_ms`, llama.cpp `predicted_ms`).
    pub decode_s: Option<f64>,
}

/// What became of one ask. All stamps are seconds from t0; none was not reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// How it ended.
    pub status: RequestStatus,
    /// Thread that had it, from 0.
    pub shard: u64,
    /// Attempts made; the rest tells of the last one.
    pub attempts: u64,
    /// When the schedule wanted it sent.
    pub intended_s: f64,
    /// When the client turned to it.
    pub dispatched_s: Option<f64>,
    /// When its connection began to be made; none when it was there.
    pub conn_start_s: Option<f64>,
    /// When its connection stood.
    pub conn_ready_s: Option<f64>,
    /// When its last byte was handed to the system.
    pub sent_s: Option<f64>,
    /// When the head of the answer came.
    pub headers_s: Option<f64>,
    /// When the first event came, with a token or not.
    pub first_event_s: Option<f64>,
    /// When the first token came, reasoning included.
    pub first_token_s: Option<f64>,
    /// When the first token came that is no reasoning.
    pub first_output_s: Option<f64>,
    /// When the last token came.
    pub last_token_s: Option<f64>,
    /// When the terminator came, the stream closed, or it failed.
    pub end_s: Option<f64>,
    /// Events that carry tokens: stamp and tokens.
    pub events: Vec<(f64, u32)>,
    /// Tokens of the prompt, by the server.
    pub prompt_tokens: Option<u64>,
    /// Of these, from the server's prefix cache.
    pub cached_tokens: Option<u64>,
    /// Tokens that came.
    pub output_tokens: u64,
    /// Of these, reasoning, by the server.
    pub reasoning_tokens: Option<u64>,
    /// Where `output_tokens` comes from.
    pub source: TokenSource,
    /// HTTP status.
    pub http_status: Option<u16>,
    /// Why the server says that it ended.
    pub finish_reason: Option<String>,
    /// Pause that the server asked for.
    pub retry_after_s: Option<f64>,
    /// What went wrong, at most 512 bytes, without keys.
    pub error: Option<String>,
    /// What is odd about it, sorted, each once.
    pub warnings: Vec<Warning>,
    /// Its name in the server's log.
    pub server_request_id: Option<String>,
    /// The server's own times.
    pub server: ServerTimings,
    /// Whether its connection had stood before; none without a connection.
    pub conn_reused: Option<bool>,
    /// Requests in flight when it was sent, itself included.
    pub in_flight_at_send: Option<u64>,
    /// Bytes of the answer's body.
    pub bytes_in: u64,
    /// The answer, where it was to be kept.
    pub text: String,
}

impl Observed {
    /// One that was not sent.
    pub(crate) fn unsent(intended_s: f64, status: RequestStatus, error: Option<String>) -> Self {
        Self {
            status,
            shard: 0,
            attempts: 0,
            intended_s,
            dispatched_s: None,
            conn_start_s: None,
            conn_ready_s: None,
            sent_s: None,
            headers_s: None,
            first_event_s: None,
            first_token_s: None,
            first_output_s: None,
            last_token_s: None,
            end_s: None,
            events: Vec::new(),
            prompt_tokens: None,
            cached_tokens: None,
            output_tokens: 0,
            reasoning_tokens: None,
            source: TokenSource::Events,
            http_status: None,
            finish_reason: None,
            retry_after_s: None,
            error,
            warnings: Vec::new(),
            server_request_id: None,
            server: ServerTimings::default(),
            conn_reused: None,
            in_flight_at_send: None,
            bytes_in: 0,
            text: String::new(),
        }
    }

    pub(crate) fn warn(&mut self, warning: Warning) {
        if let Err(at) = self.warnings.binary_search(&warning) {
            self.warnings.insert(at, warning);
        }
    }
}

/// How late the client was with its sends, seconds; waits for a place among the requests in
/// flight are not lateness.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lag {
    /// Median, by nearest rank.
    pub p50_s: f64,
    /// 99th percentile, by nearest rank.
    pub p99_s: f64,
    /// The worst.
    pub max_s: f64,
}

impl Lag {
    pub(crate) fn of(mut lags: Vec<f64>) -> Self {
        lags.sort_by(f64::total_cmp);
        let rank = |share: f64| {
            let place = (lags.len() as f64 * share).ceil() as usize;
            lags.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self {
            p50_s: rank(0.5),
            p99_s: rank(0.99),
            max_s: rank(1.0),
        }
    }
}

/// What a run saw.
#[derive(Debug, Clone)]
pub struct Observation {
    /// One for each ask, in order.
    pub requests: Vec<Observed>,
    /// The instant that all stamps count from.
    pub t0: Instant,
    /// When the last request had ended, seconds from t0.
    pub ended_s: f64,
    /// How late the client was.
    pub lag: Lag,
    /// CPU time of the client's threads from t0 on, seconds.
    pub client_cpu_s: f64,
    /// CPU time of the one that used the most.
    pub busiest_cpu_s: f64,
    /// Threads that sent and read.
    pub shards: u64,
    /// The most requests that were in flight at once.
    pub peak_in_flight: u64,
    /// Whether the system let the client's threads go before others.
    pub raised_priority: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_by_nearest_rank() {
        let lag = Lag::of((1..=200).rev().map(f64::from).collect());
        assert_eq!((lag.p50_s, lag.p99_s, lag.max_s), (100.0, 198.0, 200.0));
        assert_eq!(Lag::of(Vec::new()), Lag::default());
    }

    #[test]
    fn warnings_are_sorted_and_unique() {
        let mut seen = Observed::unsent(0.0, RequestStatus::Ok, None);
        for w in [Warning::RetryAfter, Warning::NoDone, Warning::RetryAfter] {
            seen.warn(w);
        }
        assert_eq!(seen.warnings, [Warning::NoDone, Warning::RetryAfter]);
    }
}
