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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Streams;

    fn start(tokens: u64, ids: &mut BlockIds) -> Conversation {
        let prefix = SharedPrefix {
            tokens,
            ..SharedPrefix::default()
        };
        let mut rng = Streams { seed: 1, draw: 0 }.rng("groups");
        SharedPrefixes::new(&prefix, ids).start(&mut rng)
    }

    #[test]
    fn next_turn_keeps_the_full_blocks_of_the_turns_before() {
        let mut ids = BlockIds::for_draw(0);
        let mut conversation = start(40, &mut ids);
        // 40 shared + 30 asked + 20 answered = 90 tokens: 5 full blocks, the first 2 shared
        let (prompt, first) = conversation.turn(30, 20, None, &mut ids);
        assert_eq!((prompt, first), (70, vec![0, 1, 2, 3, 4]));
        // 90 before + 10 + 10 = 110 tokens: the sixth block is full now
        let (prompt, second) = conversation.turn(10, 10, None, &mut ids);
        assert_eq!((prompt, second), (100, vec![0, 1, 2, 3, 4, 5]));
    }

    #[test]
    fn turn_beyond_the_limit_drops_the_oldest_and_renews_what_follows_the_prefix() {
        let mut ids = BlockIds::for_draw(0);
        let mut conversation = start(32, &mut ids);
        conversation.turn(30, 18, Some(140), &mut ids);
        let (prompt, before) = conversation.turn(20, 28, Some(140), &mut ids);
        assert_eq!(prompt, 32 + 48 + 20);
        // 32 + 48 + 48 + 20 = 148 would exceed 140: the first 48 go
        let (prompt, after) = conversation.turn(20, 28, Some(140), &mut ids);
        assert_eq!(prompt, 32 + 48 + 20);
        assert_eq!(after[..2], before[..2]);
        assert!(after[2..].iter().all(|id| !before.contains(id)));
    }

    #[test]
    fn question_longer_than_the_limit_is_cut() {
        let mut ids = BlockIds::for_draw(0);
        let (prompt, _) = start(16, &mut ids).turn(500, 1, Some(100), &mut ids);
        assert_eq!(prompt, 100);
    }

    #[test]
    fn forgotten_turns_leave_the_shared_prefix() {
        let mut ids = BlockIds::for_draw(0);
        let mut conversation = start(32, &mut ids);
        conversation.turn(50, 50, None, &mut ids);
        conversation.forget();
        let (prompt, blocks) = conversation.turn(16, 16, None, &mut ids);
        assert_eq!(prompt, 48);
        assert_eq!(blocks[..2], [0, 1]);
        assert_eq!(blocks.len(), 4);
    }

    #[test]
    fn zipf_prefers_the_first_group() {
        let prefix = SharedPrefix {
            tokens: 16,
            groups: 8,
            popularity: Popularity::Zipf(1.2),
        };
        let prefixes = SharedPrefixes::new(&prefix, &mut BlockIds::for_draw(0));
        let mut rng = Streams { seed: 1, draw: 0 }.rng("groups");
        let mut counts = [0; 8];
        for _ in 0..1000 {
            let (_, blocks) = prefixes
                .start(&mut rng)
                .turn(1, 1, None, &mut BlockIds::for_draw(1));
            counts[blocks[0] as usize] += 1;
        }
        assert!(counts[0] > 3 * counts[7] && counts[7] > 0, "{counts:?}");
    }
}
