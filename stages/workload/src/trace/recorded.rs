use std::collections::BTreeMap;

use crate::session::{Session, Turn};

/// A recording of requests.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Where it comes from, for messages.
    pub(crate) file: String,
    pub(crate) requests: Vec<Request>,
    /// Tokens of one block of the ids.
    pub(crate) block_tokens: u64,
    /// Whether it says when requests came.
    pub(crate) has_times: bool,
}

/// One request of a recording.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Request {
    /// Send, in seconds from any origin.
    pub(crate) arrival_s: f64,
    pub(crate) prompt_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) block_ids: Vec<u64>,
    pub(crate) session: Option<String>,
    pub(crate) think_s: Option<f64>,
    pub(crate) duration_s: f64,
    pub(crate) category: String,
    pub(crate) prompt: Option<String>,
}

impl Recorded {
    /// A recording whose times start at 0 and rise; requests of the same moment keep their order.
    pub(crate) fn new(file: &str, mut requests: Vec<Request>) -> Self {
        requests.sort_by(|a, b| a.arrival_s.total_cmp(&b.arrival_s));
        let start_s = requests.first().map_or(0.0, |request| request.arrival_s);
        for request in &mut requests {
            request.arrival_s -= start_s;
        }
        Self {
            file: file.to_owned(),
            requests,
            block_tokens: crate::prefix::BLOCK_TOKENS,
            has_times: true,
        }
    }
}

/// Puts requests in order of time into sessions in order of their first request.
pub(crate) fn sessions(requests: Vec<Request>) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut known: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    for request in requests {
        let end_s = request.arrival_s + request.duration_s;
        let earlier = request.session.as_ref().and_then(|key| known.get(key));
        let earlier = earlier.copied();
        let index = earlier.map_or(sessions.len(), |(index, _)| index);
        if let Some(key) = request.session {
            known.insert(key, (index, end_s));
        }
        let pause_s = earlier.map_or(0.0, |(_, end_s)| (request.arrival_s - end_s).max(0.0));
        let before = earlier.and_then(|(index, _)| sessions.get(index)?.turns.last());
        let turn = Turn {
            think_s: request.think_s.unwrap_or(pause_s),
            continues: before.is_some_and(|turn| {
                turn.prompt_tokens + turn.output_tokens <= request.prompt_tokens
            }),
            prompt_tokens: request.prompt_tokens,
            output_tokens: request.output_tokens,
            block_ids: request.block_ids,
            category: request.category,
            prompt: request.prompt,
        };
        match sessions.get_mut(index) {
            Some(session) => session.turns.push(turn),
            None => sessions.push(Session {
                arrival_s: request.arrival_s,
                turns: vec![turn],
            }),
        }
    }
    sessions
}
