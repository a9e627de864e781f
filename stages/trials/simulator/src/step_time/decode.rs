use super::analytic::PerToken;
use super::curve::Curve;
use super::skew::Skew;

/// Steps in which a number of requests decode and nothing else happens.
#[derive(Debug, Clone)]
pub(crate) struct Decode {
    pub(super) beside_attention_s: f64,
    pub(super) attention: DecodeAttention,
    pub(super) coefficient: f64,
    pub(super) host_s: f64,
    pub(super) asynchronous: bool,
}

impl Decode {
    /// Seconds of a step by the sum of the contexts and the longest of them, tokens.
    pub(crate) fn seconds(&self, context_sum: f64, context_max: f64) -> f64 {
        let attention_s = self.attention.seconds(context_sum, context_max) * self.coefficient;
        let gpu_s = self.beside_attention_s + attention_s;
        step_s(gpu_s, self.host_s, self.asynchronous)
    }
}

/// Attention of requests that decode alone.
#[derive(Debug, Clone)]
pub(super) enum DecodeAttention {
    /// By the tokens attended to, of so many requests.
    PerToken(f64, PerToken),
    /// One layer measured by the mean context.
    ByMean {
        requests: f64,
        layers: f64,
        curve: Curve,
        skew: Skew,
    },
}

impl DecodeAttention {
    pub(super) fn seconds(&self, context_sum: f64, context_max: f64) -> f64 {
        match self {
            Self::PerToken(requests, by_token) => {
                by_token.seconds(*requests, context_sum, context_max)
            }
            Self::ByMean {
                requests,
                layers,
                curve,
                skew,
            } => {
                let mean = context_sum / requests;
                layers * curve.at(mean) + skew.decode_s(*requests, mean, context_max)
            }
        }
    }
}

/// A step whose host work is hidden behind the GPU, or comes on top.
pub(super) fn step_s(gpu_s: f64, host_s: f64, asynchronous: bool) -> f64 {
    if asynchronous {
        gpu_s.max(host_s)
    } else {
        gpu_s + host_s
    }
}
