use sbt_schemas::RequestStatus;

use crate::emitted::Emitted;

/// What became of the requests of one simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// One per request, in the order given.
    pub requests: Vec<Served>,
    /// Peak share of the KV blocks in use.
    pub kv_peak: f64,
    /// Preemptions in all.
    pub preemptions: u64,
    /// Engine steps.
    pub steps: u64,
    /// When the last request ended.
    pub end_s: f64,
    /// When each step ended.
    pub(crate) step_ends_s: Vec<f64>,
    /// Tokens that are streamed together, after the first one.
    pub(crate) stream_interval: u32,
}

impl Run {
    /// Gaps between the tokens of a request, by its index.
    ///
    /// # Panics
    /// When there is no such request.
    #[must_use]
    pub fn itl_s(&self, request: usize) -> Vec<f64> {
        let steps = self.requests[request].emitted.steps();
        let ends = steps.map(|step| self.step_ends_s[step as usize]);
        let next = ends.clone().skip(1);
        ends.zip(next).map(|(one, next)| next - one).collect()
    }

    /// When the chunks of a request's stream came, and the tokens of each, by its index. None: each
    /// token comes on its own. The first token is a chunk, later ones have `stream_interval` tokens
    /// or those of a step more, and the last has what is left (`output_processor.py`).
    ///
    /// # Panics
    /// When there is no such request.
    #[must_use]
    pub fn chunks(&self, request: usize) -> Option<Vec<(f64, u32)>> {
        if self.stream_interval <= 1 {
            return None;
        }
        let mut steps = self.requests[request].emitted.steps().peekable();
        let (mut chunks, mut tokens) = (Vec::new(), 0);
        while let Some(step) = steps.next() {
            tokens += 1;
            let goes_on = steps.peek() == Some(&step);
            let due = chunks.is_empty() || tokens >= self.stream_interval;
            if steps.peek().is_none() || (due && !goes_on) {
                chunks.push((self.step_ends_s[step as usize], tokens));
                tokens = 0;
            }
        }
        Some(chunks)
    }
}

/// What became of one request. For a finished one
/// `retry_s + network_s + queue_s + prefill_s + decode_s` is the time from intended send to end.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// How it ended.
    pub status: RequestStatus,
    /// When it was to be sent.
    pub intended_s: f64,
    /// When its last attempt was sent.
    pub sent_s: Option<f64>,
    /// When its first token arrived.
    pub first_token_s: Option<f64>,
    /// When its last token arrived, or when it failed.
    pub end_s: Option<f64>,
    /// Attempts made.
    pub attempts: u64,
    /// Prompt tokens found in the prefix cache when it was first scheduled.
    pub cached_tokens: u64,
    /// Tokens that came back.
    pub output_tokens: u64,
    /// From the server's receipt to the first schedule.
    pub queue_s: Option<f64>,
    /// From the first schedule to the first token.
    pub prefill_s: Option<f64>,
    /// From the first to the last token.
    pub decode_s: Option<f64>,
    /// From the intended send to the start of the last attempt.
    pub retry_s: Option<f64>,
    /// Network and front end.
    pub network_s: Option<f64>,
    /// Times that it was preempted.
    pub preemptions: u64,
    /// Steps that gave it its tokens: [`Run::itl_s`] has the gaps between them.
    pub(crate) emitted: Emitted,
}
