use sbt_schemas::WorkloadRow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::distribution::Distribution;
use crate::problems::Problems;

/// What the sessions of a profile are like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    /// Turns of a session.
    pub turns: Distribution,
    /// Pause in seconds between the end of an answer and the next turn.
    pub think_s: Distribution,
    /// Tokens of user text that a later turn adds; drawn like `prompt_tokens` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_tokens: Option<Distribution>,
    /// What a later turn's prompt holds beside its user text.
    pub context: Context,
}

/// What a later turn's prompt holds beside the shared prefix and its user text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// All earlier questions and answers.
    Accumulate,
    /// The newest of them, as long as the prompt has at most so many tokens.
    Window(u64),
    /// Nothing.
    None,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            turns: Distribution::fixed(1.0),
            think_s: Distribution::fixed(0.0),
            growth_tokens: None,
            context: Context::Accumulate,
        }
    }
}

impl Sessions {
    /// What is wrong with the parameters.
    pub(crate) fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        problems.under("turns", self.turns.problems());
        problems.under("think_s", self.think_s.problems());
        if let Some(growth) = &self.growth_tokens {
            problems.under("growth_tokens", growth.problems());
        }
        problems
    }
}

/// A session of one draw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Session {
    /// Intended send of the first turn, seconds from the start of the draw.
    pub(crate) arrival_s: f64,
    /// Its turns.
    pub(crate) turns: Vec<Turn>,
}

/// One request of a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Turn {
    /// Pause after the turn before; without meaning for a first turn.
    pub(crate) think_s: f64,
    /// Whether the prompt holds the turn before and its answer.
    pub(crate) continues: bool,
    pub(crate) prompt_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) block_ids: Vec<u64>,
    pub(crate) category: String,
    pub(crate) prompt: Option<String>,
}

/// The rows of one draw, in order of the sessions' arrival.
pub(crate) fn rows(draw: u64, block_tokens: u64, mut sessions: Vec<Session>) -> Vec<WorkloadRow> {
    sessions.sort_by(|a, b| a.arrival_s.total_cmp(&b.arrival_s));
    let requests = sessions.into_iter().zip(0..).flat_map(|(session, number)| {
        let arrival_s = microseconds(session.arrival_s);
        let turns = session.turns.into_iter().zip(0..);
        turns.map(move |(turn, index)| WorkloadRow {
            draw,
            request_id: 0,
            session: number,
            turn: index,
            arrival_s: (index == 0).then_some(arrival_s),
            think_s: (index > 0).then(|| microseconds(turn.think_s)),
            continues: turn.continues,
            prompt_tokens: turn.prompt_tokens,
            output_tokens: turn.output_tokens,
            prefix_block_ids: turn.block_ids,
            prefix_block_tokens: block_tokens,
            category: turn.category,
            prompt: turn.prompt,
        })
    });
    requests
        .zip(0..)
        .map(|(row, request_id)| WorkloadRow { request_id, ..row })
        .collect()
}

/// Rounded to microseconds: finer than any load generator's clock, and coarse enough to hide in
/// which last bit two machines' logarithms differ.
fn microseconds(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
