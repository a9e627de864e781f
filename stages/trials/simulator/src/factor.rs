use crate::queue_limits::QueueLimits;
use crate::scheduler::Limits;
use crate::simulation::Rules;
use crate::{Client, Request};

/// What makes requests wait for one another, and what a simulation can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factor {
    /// Places: those of the server (`max_num_seqs`) and of the client.
    Queue,
    /// A KV cache of a size: waiting for blocks, and preemption.
    KvCache,
    /// Prompts of others in the steps of a decoding request.
    Prefill,
    /// Time limits, refusals, and the attempts after them.
    Retry,
}

impl Factor {
    /// Every factor.
    pub const ALL: [Self; 4] = [Self::Queue, Self::KvCache, Self::Prefill, Self::Retry];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::KvCache => "kv_cache",
            Self::Prefill => "prefill",
            Self::Retry => "retry",
        }
    }

    /// Takes the factor out of what a simulation runs under. [`Self::Prefill`] is in the step
    /// times, not here.
    pub(crate) fn lift(
        self,
        requests: &[Request],
        limits: &mut Limits,
        rules: &mut Rules,
        client: &mut Client,
    ) {
        match self {
            Self::Queue => {
                limits.max_num_seqs = requests.len();
                client.max_in_flight = None;
            }
            Self::KvCache => {
                let tokens = |r: &Request| limits.places(r.prompt_tokens + r.output_tokens);
                let blocks = requests
                    .iter()
                    .map(|request| tokens(request).div_ceil(limits.block_size) + 1);
                limits.blocks = limits.blocks.max(blocks.sum());
                limits.watermark_blocks = 0;
            }
            Self::Prefill => {}
            Self::Retry => {
                rules.queue = QueueLimits::default();
                client.timeout_s = None;
            }
        }
    }
}
