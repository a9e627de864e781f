use sbt_simulator::Emission;
use serde_json::{Value, json};

/// How far a request has come, by the engine's times.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) received_s: f64,
    pub(crate) prompt_tokens: usize,
    scheduled_s: f64,
    cached_tokens: u32,
    first_s: f64,
    last_s: f64,
    pub(crate) tokens: u32,
}

impl Progress {
    pub(crate) fn new(received_s: f64, prompt_tokens: usize) -> Self {
        Self {
            received_s,
            prompt_tokens,
            ..Self::default()
        }
    }

    /// Takes a token; the time since the one before, if there was one.
    pub(crate) fn take(&mut self, emission: &Emission) -> Option<f64> {
        let gap_s = (self.tokens > 0).then_some(emission.at_s - self.last_s);
        if self.tokens == 0 {
            self.first_s = emission.at_s;
            self.scheduled_s = emission.scheduled_s;
            self.cached_tokens = emission.cached_tokens;
        }
        self.tokens += 1;
        self.last_s = emission.at_s;
        gap_s
    }

    /// From the receipt to the first token.
    pub(crate) fn ttft_s(&self) -> f64 {
        self.first_s - self.received_s
    }

    /// From the receipt to the last token.
    pub(crate) fn e2e_s(&self) -> f64 {
        self.last_s - self.received_s
    }

    /// Usage so far, of an event.
    pub(crate) fn running_usage(&self) -> Value {
        let (prompt, output) = (self.prompt_tokens as u64, u64::from(self.tokens));
        json!({
            "prompt_tokens": prompt,
            "total_tokens": prompt + output,
            "completion_tokens": output,
        })
    }

    /// Usage at the end.
    pub(crate) fn usage(&self, completion_tokens: u32) -> Value {
        let (prompt, output) = (self.prompt_tokens as u64, u64::from(completion_tokens));
        json!({
            "prompt_tokens": prompt,
            "total_tokens": prompt + output,
            "completion_tokens": output,
            "prompt_tokens_details": { "cached_tokens": self.cached_tokens },
        })
    }

    /// The server's own times of the request, as vLLM gives them; null without a token.
    pub(crate) fn metrics(&self) -> Value {
        if self.tokens == 0 {
            return Value::Null;
        }
        let generation_s = self.last_s - self.first_s;
        let gaps = self.tokens - 1;
        json!({
            "time_to_first_token_ms": self.ttft_s() * 1e3,
            "generation_time_ms": generation_s * 1e3,
            "queue_time_ms": (self.scheduled_s - self.received_s) * 1e3,
            "mean_itl_ms": (gaps > 0).then(|| generation_s * 1e3 / f64::from(gaps)),
            "tokens_per_second": f64::from(self.tokens) / self.e2e_s(),
            "speculative_decoding": null,
        })
    }
}
