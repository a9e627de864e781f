use rand::rngs::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arrival::Arrival;
use crate::distribution::Distribution;
use crate::prefix::{BlockIds, Conversation, SharedPrefix, SharedPrefixes};
use crate::problems::Problems;
use crate::session::{Context, Session, Sessions, Turn};
use crate::streams::Streams;

/// A workload described by distributions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Category that its requests get.
    pub category: String,
    /// When requests come.
    pub arrival: Arrival,
    /// Tokens of a session's first user text, without the shared prefix.
    pub prompt_tokens: Distribution,
    /// Tokens of an answer.
    pub output_tokens: Distribution,
    /// Turns, pauses and context of the sessions; one turn each when left out.
    #[serde(default)]
    pub sessions: Sessions,
    /// System prompts in front of every prompt; none when left out.
    #[serde(default)]
    pub shared_prefix: SharedPrefix,
    /// Most tokens of a prompt: a session that grows beyond drops its oldest turns. No limit
    /// when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_prompt_tokens: Option<u64>,
}

impl Profile {
    /// What is wrong with the parameters.
    pub(crate) fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        problems.under("arrival", self.arrival.problems());
        problems.under("prompt_tokens", self.prompt_tokens.problems());
        problems.under("output_tokens", self.output_tokens.problems());
        problems.under("sessions", self.sessions.problems());
        problems.under("shared_prefix", self.shared_prefix.problems());
        if let Some(limit) = self.prompt_limit() {
            let prefix = self.shared_prefix.tokens;
            let message = format!("the prompt limit of {limit} tokens leaves no room after it");
            let mut inner = Problems::default();
            inner.require(prefix < limit, "tokens", message);
            problems.under("shared_prefix", inner);
        }
        problems
    }

    fn prompt_limit(&self) -> Option<u64> {
        let window = match self.sessions.context {
            Context::Window(tokens) => Some(tokens),
            Context::Accumulate | Context::None => None,
        };
        [window, self.max_prompt_tokens].into_iter().flatten().min()
    }

    /// Sessions of one draw with exactly so many requests, not yet timed; the last session may be
    /// cut short.
    pub(crate) fn draw(&self, requests: u64, streams: Streams) -> Vec<Session> {
        let turns = turn_counts(&self.sessions.turns, requests, streams);
        let mut drawing = Drawing::new(self, streams);
        turns.into_iter().map(|n| drawing.session(n)).collect()
    }
}

/// Turns of each session, `requests` in all.
fn turn_counts(turns: &Distribution, requests: u64, streams: Streams) -> Vec<u64> {
    let mut rng = streams.rng("turns");
    let mut left = requests;
    let mut counts = Vec::new();
    while left > 0 {
        let count = turns.sample_whole(&mut rng).min(left);
        counts.push(count);
        left -= count;
    }
    counts
}

/// One draw in the making: a generator for each purpose.
struct Drawing<'a> {
    profile: &'a Profile,
    prefixes: SharedPrefixes,
    ids: BlockIds,
    prompt_limit: Option<u64>,
    groups: ChaCha8Rng,
    prompts: ChaCha8Rng,
    growth: ChaCha8Rng,
    outputs: ChaCha8Rng,
    think: ChaCha8Rng,
}

impl<'a> Drawing<'a> {
    fn new(profile: &'a Profile, streams: Streams) -> Self {
        let mut ids = BlockIds::for_draw(streams.draw);
        Self {
            profile,
            prefixes: SharedPrefixes::new(&profile.shared_prefix, &mut ids),
            ids,
            prompt_limit: profile.prompt_limit(),
            groups: streams.rng("groups"),
            prompts: streams.rng("prompts"),
            growth: streams.rng("growth"),
            outputs: streams.rng("outputs"),
            think: streams.rng("think"),
        }
    }

    fn session(&mut self, turns: u64) -> Session {
        let mut conversation = self.prefixes.start(&mut self.groups);
        let turns = (0..turns).map(|index| self.turn(index, &mut conversation));
        Session {
            arrival_s: 0.0,
            turns: turns.collect(),
        }
    }

    fn turn(&mut self, index: u64, conversation: &mut Conversation) -> Turn {
        let profile = self.profile;
        let user_tokens = match &profile.sessions.growth_tokens {
            Some(growth) if index > 0 => growth.sample_whole(&mut self.growth),
            Some(_) | None => profile.prompt_tokens.sample_whole(&mut self.prompts),
        };
        let output_tokens = profile.output_tokens.sample_whole(&mut self.outputs);
        let think_s = match index {
            0 => 0.0,
            _ => profile.sessions.think_s.sample(&mut self.think).max(0.0),
        };
        if profile.sessions.context == Context::None {
            conversation.forget();
        }
        let limit = self.prompt_limit;
        let (prompt_tokens, block_ids) =
            conversation.turn(user_tokens, output_tokens, limit, &mut self.ids);
        Turn {
            think_s,
            continues: index > 0 && profile.sessions.context != Context::None,
            prompt_tokens,
            output_tokens,
            block_ids,
            category: profile.category.clone(),
            prompt: None,
        }
    }
}
