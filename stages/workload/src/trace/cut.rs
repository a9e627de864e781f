use rand::RngExt;

use super::recorded::sessions;
use super::{Recorded, Request, TraceError};
use crate::params::{Sample, WorkloadParams};
use crate::session::Session;
use crate::streams::Streams;

/// The draws of a recording, and what had to be left out.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) draws: Vec<Vec<Session>>,
    pub(crate) warnings: Vec<String>,
}

/// Cuts a recording into consecutive draws of exactly so many requests; the last session of a
/// draw may be cut short. Each draw's times start at 0; ids of blocks stay as they are, so that
/// draws share them as the recording does.
pub(crate) fn cut(recorded: Recorded, params: &WorkloadParams) -> Result<Cut, TraceError> {
    let in_window = |request: &Request| params.window.holds(request.arrival_s);
    let chosen = recorded.requests.into_iter().filter(in_window).collect();
    let (chosen, warnings) = servable(&recorded.file, chosen, params);
    let chosen = sampled(sessions(chosen), params);
    let found: usize = chosen.iter().map(|session| session.turns.len()).sum();
    let requests = match params.requests {
        0 => (found as u64).max(1),
        some => some,
    };
    let mut rest = chosen.into_iter();
    let draws: Option<Vec<_>> = (0..params.draws)
        .map(|_| take_draw(&mut rest, requests))
        .collect();
    let draws = draws.ok_or(TraceError::TooShort {
        file: recorded.file,
        found: found as u64,
        requests,
        draws: params.draws,
    })?;
    Ok(Cut { draws, warnings })
}

/// Leaves out requests that were never answered, or that exceed the limits on tokens.
pub(super) fn servable(
    file: &str,
    requests: Vec<Request>,
    params: &WorkloadParams,
) -> (Vec<Request>, Vec<String>) {
    let (mut failed, mut long) = (0_u64, 0_u64);
    let mut kept = requests;
    kept.retain(|request| {
        let empty = request.prompt_tokens == 0 || request.output_tokens == 0;
        let exceeds = |tokens, limit: Option<u64>| limit.is_some_and(|limit| tokens > limit);
        let too_long = exceeds(request.prompt_tokens, params.max_prompt_tokens)
            || exceeds(request.output_tokens, params.max_output_tokens);
        failed += u64::from(empty);
        long += u64::from(too_long && !empty);
        !empty && !too_long
    });
    let counted = [
        (
            failed,
            "without prompt or answer tokens (failed when recorded)",
        ),
        (
            long,
            "longer than `max_prompt_tokens` or `max_output_tokens`",
        ),
    ];
    let warnings = counted.iter().filter(|(count, _)| *count > 0);
    let warnings = warnings.map(|(n, why)| format!("{file}: left out {n} requests {why}"));
    (kept, warnings.collect())
}

fn sampled(sessions: Vec<Session>, params: &WorkloadParams) -> Vec<Session> {
    let Some(sample) = params.sample else {
        return sessions;
    };
    let streams = Streams {
        seed: params.seed,
        draw: 0,
    };
    let mut rng = streams.rng("sample");
    let kept = sessions
        .into_iter()
        .zip(0_u64..)
        .filter(|(_, index)| match sample {
            Sample::Fraction(fraction) => rng.random::<f64>() < fraction,
            Sample::Every(n) => index % n == 0,
        });
    kept.map(|(session, _)| session).collect()
}

/// The next sessions with exactly so many requests; none when they run out.
pub(super) fn take_draw(
    sessions: &mut impl Iterator<Item = Session>,
    requests: u64,
) -> Option<Vec<Session>> {
    let mut left = usize::try_from(requests).ok()?;
    let mut draw: Vec<Session> = Vec::new();
    while left > 0 {
        let mut session = sessions.next()?;
        session.turns.truncate(left);
        left -= session.turns.len();
        draw.push(session);
    }
    let start_s = draw.first().map_or(0.0, |session| session.arrival_s);
    for session in &mut draw {
        session.arrival_s -= start_s;
    }
    Some(draw)
}
