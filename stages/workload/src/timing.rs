use crate::arrival::Arrival;
use crate::params::WorkloadParams;
use crate::session::Session;
use crate::streams::Streams;

/// When the sessions of a draw start.
#[derive(Debug)]
pub(crate) struct Timing {
    arrival: Arrival,
    rate_scale: f64,
    target_rps: Option<f64>,
}

impl Timing {
    pub(crate) fn new(params: &WorkloadParams) -> Self {
        Self {
            arrival: params.arrival(),
            rate_scale: params.rate_scale,
            target_rps: params.target_rps,
        }
    }

    /// The sessions of one draw with their starts; an error says why the rate cannot be reached.
    pub(crate) fn apply(
        &self,
        sessions: Vec<Session>,
        streams: Streams,
    ) -> Result<Vec<Session>, String> {
        match self.arrival {
            Arrival::Replay => self.replayed(sessions),
            Arrival::ClosedLoop {
                users,
                pause_s,
                stagger_s,
            } => Ok(chained(sessions, users, pause_s, stagger_s)),
            Arrival::Constant { .. }
            | Arrival::Poisson { .. }
            | Arrival::Gamma { .. }
            | Arrival::Burst { .. }
            | Arrival::Ramp { .. } => Ok(self.drawn(sessions, streams)),
        }
    }

    /// Factor on a rate.
    fn factor(&self, mean_rps: f64) -> f64 {
        let to_target = self.target_rps.map(|target| target / mean_rps);
        to_target.unwrap_or(self.rate_scale)
    }

    fn drawn(&self, mut sessions: Vec<Session>, streams: Streams) -> Vec<Session> {
        let factor = self
            .arrival
            .mean_rps()
            .map_or(1.0, |mean| self.factor(mean));
        let sessions_per_request = sessions.len() as f64 / requests(&sessions);
        let process = self.arrival.scaled(factor * sessions_per_request);
        let times = process.times(sessions.len(), &mut streams.rng("arrivals"));
        for (session, time_s) in sessions.iter_mut().zip(times) {
            session.arrival_s = time_s;
        }
        sessions
    }

    fn replayed(&self, mut sessions: Vec<Session>) -> Result<Vec<Session>, String> {
        let span_s = sessions.last().map_or(0.0, |session| session.arrival_s);
        if self.target_rps.is_some() && span_s <= 0.0 {
            return Err(format!(
                "the {} requests of a draw come at one moment and cannot be stretched to `target_rps`: raise `requests`, or set `arrival`",
                requests(&sessions)
            ));
        }
        let factor = self.factor(requests(&sessions) / span_s);
        for session in &mut sessions {
            session.arrival_s /= factor;
        }
        Ok(sessions)
    }
}

fn requests(sessions: &[Session]) -> f64 {
    sessions
        .iter()
        .map(|session| session.turns.len() as f64)
        .sum()
}

/// Deals conversations to users in turn; each user's become one session.
fn chained(conversations: Vec<Session>, users: u64, pause_s: f64, stagger_s: f64) -> Vec<Session> {
    let users = usize::try_from(users).unwrap_or(usize::MAX);
    let users = users.min(conversations.len());
    let mut sessions: Vec<Session> = Vec::with_capacity(users);
    for (index, mut conversation) in conversations.into_iter().enumerate() {
        if index < users {
            conversation.arrival_s = stagger_s * index as f64 / users as f64;
            sessions.push(conversation);
            continue;
        }
        if let Some(first) = conversation.turns.first_mut() {
            first.think_s = pause_s;
        }
        sessions[index % users].turns.extend(conversation.turns);
    }
    sessions
}
