use crate::{EngineConfig, SchedulerKind};

/// From when on a server refuses requests with HTTP 503 (`check_admission` of vLLM's
/// `async_llm.py`).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct QueueLimits {
    requests: Option<u32>,
    /// Whether those that run count among the requests.
    with_running: bool,
    prefill_tokens: Option<u64>,
}

/// What a server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Held {
    pub(crate) waiting: usize,
    pub(crate) running: usize,
    /// Prompt tokens of requests without a first token.
    pub(crate) prefill_tokens: u64,
}

impl Held {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            running: self.running + other.running,
            prefill_tokens: self.prefill_tokens + other.prefill_tokens,
        }
    }
}

impl QueueLimits {
    pub(crate) fn of(config: &EngineConfig) -> Self {
        Self {
            requests: config.max_num_queued_reqs,
            with_running: config.scheduler != SchedulerKind::Sglang,
            prefill_tokens: config.max_num_queued_tokens,
        }
    }

    /// Whether a server that holds this refuses the next request.
    pub(crate) fn refuse(&self, held: Held) -> bool {
        let running = if self.with_running { held.running } else { 0 };
        let requests = held.waiting + running;
        self.requests.is_some_and(|most| requests >= most as usize)
            || self
                .prefill_tokens
                .is_some_and(|most| held.prefill_tokens >= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuses(config: &EngineConfig, waiting: usize, running: usize, prefill_tokens: u64) -> bool {
        QueueLimits::of(config).refuse(Held {
            waiting,
            running,
            prefill_tokens,
        })
    }

    #[test]
    fn requests_in_the_server_and_prompt_tokens_have_limits_of_their_own() {
        let none = EngineConfig::default();
        assert!(!refuses(&none, 999, 999, u64::MAX));
        let ten = EngineConfig {
            max_num_queued_reqs: Some(10),
            ..none.clone()
        };
        assert!(!refuses(&ten, 3, 6, 0) && refuses(&ten, 4, 6, 0));
        let sglang = EngineConfig {
            scheduler: SchedulerKind::Sglang,
            ..ten
        };
        assert!(!refuses(&sglang, 9, 6, 0) && refuses(&sglang, 10, 0, 0));
        let tokens = EngineConfig {
            max_num_queued_tokens: Some(1000),
            ..none
        };
        assert!(!refuses(&tokens, 99, 99, 999) && refuses(&tokens, 0, 0, 1000));
    }
}
