use crate::ClientError;

/// One request of the schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Intended send from t0, seconds; of a follower the pause after the end of the one it follows.
    pub start_s: f64,
    /// Index of the ask that it follows, always a smaller one: the turn of a session before, or the
    /// request before of a user in a closed loop.
    pub after: Option<usize>,
    /// Whether it carries on the conversation of `after`: it is then not sent when that one failed.
    /// Otherwise it is sent whatever became of it.
    pub continues: bool,
    /// Tokens of the whole prompt as the server counts them, conversation before included.
    pub prompt_tokens: u32,
    /// Tokens to generate.
    pub output_tokens: u32,
    /// What the prompt says.
    pub words: PromptWords,
    /// Whether the run is over without it: false for warm-up and background load.
    pub measured: bool,
    /// Whether the answer's text is kept.
    pub keep_text: bool,
}

/// What a prompt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptWords {
    /// Words drawn so that equal blocks are equal text.
    Drawn {
        /// What separates one trial's words from another's.
        salt: u64,
        /// Identity of each leading block of the whole sequence, conversation before included.
        blocks: Vec<u64>,
        /// Tokens of a block.
        block_tokens: u32,
        /// Names the words past the last block, which are shared with nobody.
        request: u64,
    },
    /// This text, whatever its length; of a follower the new text alone.
    Given(String),
}

/// How drawn words are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PromptForm {
    /// As text, which the server tokenizes.
    #[default]
    Text,
    /// As the server's own tokens, to `completions` alone: the length is exact by construction.
    TokenIds,
}

/// What happens to a request that comes due while as many are in flight as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AtCap {
    /// It waits; latencies count from the intended send, so they hold the wait.
    #[default]
    Queue,
    /// It is dropped and counted (`not_sent_cap`).
    Shed,
}

/// Which request a connection carries next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connections {
    /// Any: the connection that was used last is used first.
    #[default]
    Reuse,
    /// None: each request makes its own, as it must where the server closes them after each answer, or
    /// their end may cross the next request.
    Fresh,
    /// The next of the same session, or of the same user of a closed loop; nobody else's.
    StickySession,
}

/// Limits of the client, in seconds; none is infinite.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Requests in flight at once.
    pub max_in_flight: Option<u64>,
    /// What happens beyond them.
    pub at_cap: AtCap,
    /// Connections that are opened before t0.
    pub open_before: u64,
    /// Which request a connection carries next.
    pub connections: Connections,
    /// Threads that send and read; none for what the schedule is expected to need, at most one a core.
    pub shards: Option<u64>,
    /// From the start of a connection to its end, TLS included.
    pub connect_timeout_s: Option<f64>,
    /// From the send to the first token.
    pub ttft_timeout_s: Option<f64>,
    /// From token to token; pings do not count.
    pub idle_timeout_s: Option<f64>,
    /// From the send to the end of the answer.
    pub total_timeout_s: Option<f64>,
    /// Further attempts after one that the server refused for load, or that broke off or took too long.
    pub retries: u64,
    /// Pause before the first of them; doubled for each further one.
    pub backoff_s: f64,
    /// From the last measured send until what is still in flight is cancelled.
    pub drain_timeout_s: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_in_flight: None,
            at_cap: AtCap::Queue,
            open_before: 0,
            connections: Connections::Reuse,
            shards: None,
            connect_timeout_s: Some(10.0),
            ttft_timeout_s: None,
            idle_timeout_s: None,
            total_timeout_s: None,
            retries: 0,
            backoff_s: 1.0,
            drain_timeout_s: None,
        }
    }
}

/// What a server takes beyond the plain interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `stream_options.include_usage`: a last event with the token counts.
    pub include_usage: bool,
    /// `stream_options.continuous_usage_stats`: token counts on every event.
    pub continuous_usage: bool,
    /// `ignore_eos`: the answer has the length asked for.
    pub ignore_eos: bool,
    /// `min_tokens`.
    pub min_tokens: bool,
}

/// What a run tells while it goes on, of the asks that it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counts {
    /// All of them.
    pub asked: usize,
    /// Sent or being sent, others included.
    pub in_flight: usize,
    /// Ended well.
    pub ok: usize,
    /// Ended otherwise.
    pub failed: usize,
    /// How long nothing has come from the server while requests were in flight, seconds.
    pub silent_s: f64,
}

/// Who watches a run, from the thread that started it.
pub trait Observer: Sync {
    /// Called some times a second.
    fn progress(&self, counts: Counts);

    /// Whether the run is to stop: what is in flight is cancelled, nothing more is sent.
    fn stop(&self) -> bool;
}

/// Checks what the types leave open.
pub(crate) fn check(asks: &[Ask]) -> Result<(), ClientError> {
    for (index, ask) in asks.iter().enumerate() {
        let problem = if !ask.start_s.is_finite() || ask.start_s < 0.0 {
            "start_s must be 0 or more"
        } else if ask.after.is_some_and(|before| before >= index) {
            "an ask must follow an earlier one"
        } else if ask.continues && ask.after.is_none() {
            "an ask that continues must follow another"
        } else if ask.output_tokens == 0 {
            "output_tokens must be 1 or more"
        } else {
            continue;
        };
        return Err(ClientError::Ask { index, problem });
    }
    Ok(())
}
