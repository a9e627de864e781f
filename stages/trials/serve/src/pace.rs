use sbt_simulator::Emission;

use crate::engine::Gauges;
use crate::fixed::{Fixed, FixedTimes};

/// What decides when tokens come. Times are the engine's own.
pub(crate) enum Pace {
    Fixed(FixedTimes, Fixed),
}

impl Pace {
    pub(crate) fn max_model_len(&self) -> u32 {
        match self {
            Self::Fixed(times, _) => times.max_model_len,
        }
    }

    pub(crate) fn submit(&mut self, now_s: f64, _prompt: &[u32], answer: &[u32]) -> Option<u64> {
        match self {
            Self::Fixed(_, fixed) => Some(fixed.submit(now_s, answer.len() as u32)),
        }
    }

    pub(crate) fn abort(&mut self, _now_s: f64, request: u64) {
        match self {
            Self::Fixed(_, fixed) => fixed.abort(request),
        }
    }

    pub(crate) fn next_s(&self) -> Option<f64> {
        match self {
            Self::Fixed(_, fixed) => fixed.next_s(),
        }
    }

    pub(crate) fn advance(&mut self, now_s: f64, out: &mut Vec<Emission>) {
        match self {
            Self::Fixed(_, fixed) => fixed.advance(now_s, out),
        }
    }

    pub(crate) fn gauges(&self) -> Gauges {
        match self {
            Self::Fixed(_, fixed) => Gauges {
                running: fixed.running(),
                ..Gauges::default()
            },
        }
    }

    pub(crate) fn reset_prefix_cache(&mut self) -> bool {
        match self {
            Self::Fixed(..) => true,
        }
    }
}
