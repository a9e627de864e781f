use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problems::Problems;
use crate::weighted::Weighted;

/// Tokens of one block of a generated workload. Chosen: vLLM's default `block_size`, so that
/// nothing that its prefix cache could share is lost.
pub(crate) const BLOCK_TOKENS: u64 = 16;

/// A system prompt that sessions share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SharedPrefix {
    /// Tokens of each system prompt; 0 for none. They come on top of `prompt_tokens`.
    pub tokens: u64,
    /// Number of different system prompts.
    pub groups: u64,
    /// How sessions choose among them.
    pub popularity: Popularity,
}

/// How often each shared prefix is used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Popularity {
    /// All alike.
    Uniform,
    /// The k-th with weight 1/k^exponent.
    Zipf(f64),
}

impl Default for SharedPrefix {
    fn default() -> Self {
        Self {
            tokens: 0,
            groups: 1,
            popularity: Popularity::Uniform,
        }
    }
}

impl SharedPrefix {
    /// What is wrong with the parameters.
    pub(crate) fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        problems.require(self.groups > 0, "groups", "must be 1 or more");
        match self.popularity {
            Popularity::Uniform => {}
            Popularity::Zipf(exponent) => problems.not_negative("popularity", exponent),
        }
        problems
    }
}

/// Ids of blocks: no two draws have one in common.
#[derive(Debug)]
pub(crate) struct BlockIds {
    next: u64,
}

impl BlockIds {
    pub(crate) fn for_draw(draw: u64) -> Self {
        /// Chosen: 2^40 blocks a draw are more than any table holds.
        const DRAW_SHIFT: u32 = 40;
        Self {
            next: draw << DRAW_SHIFT,
        }
    }

    fn extend(&mut self, ids: &mut Vec<u64>, length: usize) {
        while ids.len() < length {
            ids.push(self.next);
            self.next += 1;
        }
    }
}

/// The system prompts of one draw.
#[derive(Debug)]
pub(crate) struct SharedPrefixes {
    tokens: u64,
    groups: Vec<Vec<u64>>,
    popularity: Weighted,
}

impl SharedPrefixes {
    pub(crate) fn new(prefix: &SharedPrefix, ids: &mut BlockIds) -> Self {
        let full_blocks = full_blocks(prefix.tokens);
        let groups = (0..prefix.groups).map(|_| {
            let mut group = Vec::new();
            ids.extend(&mut group, full_blocks);
            group
        });
        let weight = |k: u64| match prefix.popularity {
            Popularity::Uniform => 1.0,
            Popularity::Zipf(exponent) => (k as f64).powf(-exponent),
        };
        Self {
            tokens: prefix.tokens,
            groups: groups.collect(),
            popularity: Weighted::new((1..=prefix.groups).map(weight)),
        }
    }

    /// A conversation that starts with one of the prefixes.
    pub(crate) fn start(&self, rng: &mut impl Rng) -> Conversation {
        let group = &self.groups[self.popularity.pick(rng)];
        Conversation {
            prefix_tokens: self.tokens,
            prefix_blocks: group.len(),
            history: Vec::new(),
            block_ids: group.clone(),
        }
    }
}

/// The growing context of a session.
#[derive(Debug)]
pub(crate) struct Conversation {
    prefix_tokens: u64,
    prefix_blocks: usize,
    /// Tokens of each earlier turn, question and answer.
    history: Vec<u64>,
    /// Ids of the full blocks of the sequence so far.
    block_ids: Vec<u64>,
}

impl Conversation {
    /// Forgets all earlier turns.
    pub(crate) fn forget(&mut self) {
        self.history.clear();
        self.block_ids.truncate(self.prefix_blocks);
    }

    /// Adds a turn; gives the tokens of its prompt and the ids of the full blocks of prompt and
    /// answer. The oldest turns are dropped when the prompt would exceed the limit: all blocks
    /// after the shared prefix are then new. A question that is still too long is cut.
    pub(crate) fn turn(
        &mut self,
        user_tokens: u64,
        output_tokens: u64,
        limit: Option<u64>,
        ids: &mut BlockIds,
    ) -> (u64, Vec<u64>) {
        let room = limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.prefix_tokens));
        let user_tokens = user_tokens.min(room.max(1));
        let kept = self.newest_that_fit(room.saturating_sub(user_tokens));
        if kept < self.history.len() {
            self.history.drain(..self.history.len() - kept);
            self.block_ids.truncate(self.prefix_blocks);
        }
        let context: u64 = self.prefix_tokens + self.history.iter().sum::<u64>();
        let prompt_tokens = context + user_tokens;
        self.history.push(user_tokens + output_tokens);
        ids.extend(
            &mut self.block_ids,
            full_blocks(prompt_tokens + output_tokens),
        );
        (prompt_tokens, self.block_ids.clone())
    }

    /// Number of newest turns whose tokens fit together.
    fn newest_that_fit(&self, room: u64) -> usize {
        let sums = self.history.iter().rev().scan(0, |sum, tokens| {
            *sum += tokens;
            Some(*sum)
        });
        sums.take_while(|sum| *sum <= room).count()
    }
}

fn full_blocks(tokens: u64) -> usize {
    usize::try_from(tokens / BLOCK_TOKENS).expect("a sequence fits the memory")
}
