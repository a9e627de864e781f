use sbt_simulator::{Emission, Gauges, Live, Request};

use crate::fixed::{Fixed, FixedTimes};
use crate::tokenizer::chained;

/// What decides when tokens come. Times are the engine's own.
pub(crate) enum Pace {
    Fixed(Fixed),
    Simulated(Box<Live>),
}

impl Pace {
    pub(crate) fn fixed(times: FixedTimes) -> Self {
        Self::Fixed(Fixed::new(times))
    }

    pub(crate) fn max_model_len(&self) -> u32 {
        match self {
            Self::Fixed(fixed) => fixed.max_model_len(),
            Self::Simulated(live) => live.max_model_len(),
        }
    }

    /// None: the queue is full.
    pub(crate) fn submit(&mut self, now_s: f64, prompt: &[u32], answer: &[u32]) -> Option<u64> {
        match self {
            Self::Fixed(fixed) => Some(fixed.submit(now_s, answer.len() as u32)),
            Self::Simulated(live) => submit(live, now_s, prompt, answer),
        }
    }

    pub(crate) fn abort(&mut self, now_s: f64, request: u64) {
        match self {
            Self::Fixed(fixed) => fixed.abort(request),
            Self::Simulated(live) => live.abort(now_s, request),
        }
    }

    pub(crate) fn next_s(&self) -> Option<f64> {
        match self {
            Self::Fixed(fixed) => fixed.next_s(),
            Self::Simulated(live) => live.next_s(),
        }
    }

    pub(crate) fn advance(&mut self, now_s: f64, out: &mut Vec<Emission>) {
        match self {
            Self::Fixed(fixed) => fixed.advance(now_s, out),
            Self::Simulated(live) => out.extend(live.advance(now_s)),
        }
    }

    pub(crate) fn gauges(&self) -> Gauges {
        match self {
            Self::Fixed(fixed) => Gauges {
                running: fixed.running(),
                ..Gauges::default()
            },
            Self::Simulated(live) => live.gauges(),
        }
    }

    /// False while the cache is in use.
    pub(crate) fn reset_prefix_cache(&mut self) -> bool {
        match self {
            Self::Fixed(_) => true,
            Self::Simulated(live) => live.reset_prefix_cache(),
        }
    }
}

fn submit(live: &mut Live, now_s: f64, prompt: &[u32], answer: &[u32]) -> Option<u64> {
    let sequence = [prompt, answer].concat();
    let block_size = live.block_size();
    live.submit(&Request {
        start_s: now_s,
        after: None,
        continues: false,
        priority: 0,
        prompt_tokens: prompt.len() as u32,
        output_tokens: answer.len() as u32,
        block_ids: block_ids(&sequence, block_size),
        block_tokens: block_size,
    })
}

/// Identity of each full block of a sequence: its tokens and all before them.
fn block_ids(sequence: &[u32], block_size: u32) -> Vec<u64> {
    let blocks = sequence.chunks_exact(block_size as usize);
    let chain = blocks.scan(0, |hash, block| {
        *hash = chained(*hash, block);
        Some(*hash)
    });
    chain.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_equal_as_far_as_all_tokens_are() {
        let first = block_ids(&[1, 2, 3, 4, 5, 6, 7], 2);
        let second = block_ids(&[1, 2, 3, 4, 9, 6, 7, 8], 2);
        assert_eq!((first.len(), second.len()), (3, 4));
        assert_eq!(first[..2], second[..2]);
        assert_ne!(first[2], second[2]);
        assert_ne!(block_ids(&[3, 4], 2)[0], first[1]);
    }
}
