/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not with the server.
    Away,
    /// In the server's queue, for the first time or after a preemption.
    Waiting,
    /// Scheduled step by step.
    Running,
}

/// A request as the server sees it. Prefill and decode are no states: a request catches up from
/// `computed` to what is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence {
    pub(crate) phase: Phase,
    /// Tokens of the prompt.
    pub(crate) prompt: u32,
    /// Tokens to generate.
    pub(crate) output: u32,
    /// Tokens whose KV entries are computed or being computed.
    pub(crate) computed: u32,
    /// Tokens that came out.
    pub(crate) generated: u32,
    /// Tokens that are being computed and not known yet.
    pub(crate) placeholders: u32,
    /// Of the computed tokens and of those, drafts that are not verified yet.
    pub(crate) drafts: u32,
    /// Step that computes the latest token.
    pub(crate) sampled_in: u32,
    /// Blocks that it holds.
    pub(crate) held: u32,
    /// Of these, blocks whose content is known.
    pub(crate) remembered: u32,
    /// The lowest goes first, where the policy says so.
    pub(crate) priority: i32,
    /// Its number among all requests.
    pub(crate) number: u64,
    /// Attempt of the client.
    pub(crate) attempt: u32,
    /// Raised when what is in flight becomes stale.
    pub(crate) epoch: u32,
    /// Preemptions.
    pub(crate) preemptions: u32,
    /// Prompt tokens found in the cache at the first schedule.
    pub(crate) cached: u32,
    /// Admission, in order.
    pub(crate) admission: u32,
    /// First step of its stream: what the stream gave it since is not in the counts above.
    pub(crate) streams_from: Option<u32>,
    /// When the server got it.
    pub(crate) received_s: f64,
    /// When it was first scheduled.
    pub(crate) scheduled_s: f64,
}

impl Sequence {
    pub(crate) fn new(prompt: u32, output: u32) -> Self {
        Self {
            phase: Phase::Away,
            prompt,
            output,
            computed: 0,
            generated: 0,
            placeholders: 0,
            drafts: 0,
            sampled_in: 0,
            priority: 0,
            number: 0,
            held: 0,
            remembered: 0,
            attempt: 0,
            epoch: 0,
            preemptions: 0,
            cached: 0,
            admission: 0,
            streams_from: None,
            received_s: f64::NAN,
            scheduled_s: f64::NAN,
        }
    }

    /// Tokens whose content is known.
    pub(crate) fn known(&self) -> u32 {
        self.prompt + self.generated
    }

    /// Tokens to catch up with.
    pub(crate) fn target(&self) -> u32 {
        self.known() + self.placeholders
    }

    /// Whether the token that ends it is being computed, whatever becomes of the drafts.
    pub(crate) fn last_in_flight(&self) -> bool {
        self.placeholders > 0 && self.generated + self.placeholders >= self.output + self.drafts
    }

    /// Tokens that remain to be scheduled.
    pub(crate) fn unscheduled(&self) -> u32 {
        self.output - self.generated - self.placeholders
    }

    /// Whether the next step is one new token after the prompt, and what is drafted behind it.
    pub(crate) fn decodes(&self) -> bool {
        self.computed >= self.prompt && self.target() - self.computed == 1
    }
}
