/// What one engine step works on.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Requests that are looked at one by one, in the order in which they run. What streams
    /// besides is in the load alone.
    pub(crate) entries: Vec<Entry>,
    pub(crate) load: Load,
}

/// One request in a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) request: u32,
    /// Admission of the request, in order.
    pub(crate) admission: u32,
    /// Attempt and preemptions of the request when it was scheduled: what has changed since makes
    /// the step's token stale.
    pub(crate) attempt: u32,
    pub(crate) epoch: u32,
    /// Whether the step gives it a token.
    pub(crate) samples: bool,
    /// Drafts that the step verifies.
    pub(crate) drafts: u32,
    /// What it adds to the load; nothing where it is counted with others.
    pub(crate) share: Share,
}

/// What one request adds to a step.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Share {
    /// Tokens behind it.
    pub(crate) computed: u32,
    /// New tokens.
    pub(crate) tokens: u32,
    pub(crate) decode: bool,
}

/// What determines how long a step takes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Load {
    /// New tokens.
    pub(crate) tokens: u32,
    /// Requests.
    pub(crate) sequences: u32,
    /// Requests that decode: one new token after the prompt, and drafts behind it.
    pub(crate) decodes: u32,
    /// Drafts among the new tokens.
    pub(crate) drafts: u32,
    /// Sum of the decoding requests' contexts, tokens.
    pub(crate) context_sum: f64,
    /// Longest of them.
    pub(crate) context_max: f64,
    /// Sum over prompt chunks of `q (s + q / 2)`: pairs of tokens that attend to each other.
    pub(crate) prefill_pairs: f64,
}

impl Load {
    fn add(&mut self, entry: &Entry) {
        let Share {
            computed,
            tokens,
            decode,
        } = entry.share;
        self.tokens += tokens;
        self.sequences += 1;
        let (before, new) = (f64::from(computed), f64::from(tokens));
        if decode {
            self.decodes += 1;
            self.drafts += entry.drafts;
            self.context_sum += before + new;
            self.context_max = self.context_max.max(before + new);
        } else {
            self.prefill_pairs += new * (before + new / 2.0);
        }
    }

    /// The step without its prompt chunks.
    pub(crate) fn decodes_alone(&self) -> Self {
        Self {
            tokens: self.decodes + self.drafts,
            sequences: self.decodes,
            prefill_pairs: 0.0,
            ..*self
        }
    }

    /// Whether nothing but decoding without drafts happens: [`crate::step_time::Decode`] says how
    /// long that takes.
    pub(crate) fn plain_decode(&self) -> bool {
        self.pure_decode() && self.drafts == 0
    }

    /// Whether nothing but decoding happens.
    pub(crate) fn pure_decode(&self) -> bool {
        self.decodes == self.sequences
    }

    /// Tokens behind which one is sampled. vLLM samples for every request, and drops the token of a
    /// prompt that is not done.
    pub(crate) fn sampled(&self) -> u32 {
        self.sequences + self.drafts
    }
}

impl Batch {
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.load = Load::default();
    }

    /// Adds requests that decode, counted together.
    pub(crate) fn add_decodes(&mut self, count: u32, context_sum: f64, context_max: f64) {
        let load = &mut self.load;
        load.tokens += count;
        load.sequences += count;
        load.decodes += count;
        load.context_sum += context_sum;
        load.context_max = load.context_max.max(context_max);
    }

    pub(crate) fn add(&mut self, entry: Entry) {
        self.entries.push(entry);
        self.load.add(&entry);
    }

    /// Takes a request out again; its tokens, 0 when it is not there.
    pub(crate) fn remove(&mut self, request: u32) -> u32 {
        let found = self.entries.iter().position(|e| e.request == request);
        let Some(place) = found else { return 0 };
        let removed = self.entries.remove(place);
        self.load = Load::default();
        for entry in &self.entries {
            self.load.add(entry);
        }
        removed.share.tokens
    }
}
