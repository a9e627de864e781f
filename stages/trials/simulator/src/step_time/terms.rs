use std::ops::{Index, IndexMut};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the time of an engine step is spent on.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// Matrix products of the layers.
    Linear,
    /// Attention of decoding requests in a batch of nothing else.
    DecodeAttention,
    /// Attention of decoding requests that share the batch with prompt chunks.
    MixedAttention,
    /// Attention of prompt chunks.
    PrefillAttention,
    /// Vocabulary product and sampler.
    Head,
    /// All-reduces between the GPUs.
    Communication,
    /// Small kernels of the layers: norms, rotary embedding, activation, KV write.
    Small,
    /// What a step outside a full CUDA graph takes besides: launches one by one, attention planned anew.
    Ungraphed,
    /// Host work of a step.
    Host,
    /// Host work for each request of the step.
    HostPerSequence,
}

impl Term {
    /// Every term.
    pub const ALL: [Self; 10] = [
        Self::Linear,
        Self::DecodeAttention,
        Self::MixedAttention,
        Self::PrefillAttention,
        Self::Head,
        Self::Communication,
        Self::Small,
        Self::Ungraphed,
        Self::Host,
        Self::HostPerSequence,
    ];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::DecodeAttention => "decode_attention",
            Self::MixedAttention => "mixed_attention",
            Self::PrefillAttention => "prefill_attention",
            Self::Head => "head",
            Self::Communication => "communication",
            Self::Small => "small",
            Self::Ungraphed => "ungraphed",
            Self::Host => "host",
            Self::HostPerSequence => "host_per_sequence",
        }
    }

    /// Whether the host works meanwhile, not the GPU.
    pub(crate) fn on_host(self) -> bool {
        matches!(self, Self::Host | Self::HostPerSequence)
    }
}

/// A number for each term: seconds of a step, or what they are multiplied with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms([f64; Term::ALL.len()]);

/// What the seconds of each term are multiplied with: 1 before calibration.
pub type Coefficients = Terms;

impl Terms {
    /// The same number for each term.
    #[must_use]
    pub const fn all(number: f64) -> Self {
        Self([number; Term::ALL.len()])
    }

    /// Seconds on the GPU under coefficients.
    pub(crate) fn gpu_s(&self, coefficients: &Coefficients) -> f64 {
        self.sum(coefficients, false)
    }

    /// Seconds on the host under coefficients.
    pub(crate) fn host_s(&self, coefficients: &Coefficients) -> f64 {
        self.sum(coefficients, true)
    }

    fn sum(&self, coefficients: &Coefficients, on_host: bool) -> f64 {
        let terms = Term::ALL.into_iter().filter(|t| t.on_host() == on_host);
        terms.map(|term| self[term] * coefficients[term]).sum()
    }
}

impl Index<Term> for Terms {
    type Output = f64;

    fn index(&self, term: Term) -> &f64 {
        &self.0[term as usize]
    }
}

impl IndexMut<Term> for Terms {
    fn index_mut(&mut self, term: Term) -> &mut f64 {
        &mut self.0[term as usize]
    }
}
