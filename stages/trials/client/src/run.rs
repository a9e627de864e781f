//! The run of a schedule: threads of its own, which send on time and keep account of every ask.

mod driver;
mod request;
mod shard;
mod shards;
mod shared;
mod slot;

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::ask::check;
use crate::body::Bodies;
use crate::clock::Clock;
use crate::connection::Dialer;
use crate::observed::Lag;
use crate::process;
use crate::{
    Ask, ClientError, Features, Limits, Observation, Observed, Observer, Target, Vocabulary,
};

use shard::{Shard, ShardSeen};
use shared::Shared;

/// Polls of the event loop between looks at timers and sockets: a quarter more often than tokio's own,
/// so that a burst of tokens does not hold up a send.
const EVENT_INTERVAL: u32 = 47;

/// How often the observer is asked and told.
const TICK: Duration = Duration::from_millis(50);

/// Sends the schedule and waits for its end: until all measured asks have ended, or the observer stops it,
/// or `drain_timeout_s` is over. What is then in flight is cancelled; every ask has its entry.
///
/// The threads of the run are its own, each with one runtime; the caller's watches.
///
/// # Errors
/// When the run could not begin; never for what a server does.
pub fn run(
    target: &Target,
    features: Features,
    vocabulary: &Vocabulary,
    asks: &[Ask],
    limits: &Limits,
    observer: &dyn Observer,
) -> Result<Observation, ClientError> {
    check(asks)?;
    let bound = limits.max_in_flight.unwrap_or(asks.len() as u64);
    let in_flight = bound.min(asks.len() as u64);
    process::raise_files(in_flight, limits.max_in_flight.is_some())?;
    let bodies = Bodies {
        api: target.api,
        model: target.model.clone(),
        features,
        vocabulary: vocabulary.clone(),
    };
    bodies.check(asks)?;
    let run = Run {
        target,
        dialer: Dialer::new(target)?,
        bodies,
        asks,
        limits,
        shared: Shared::new(asks, limits),
    };
    run.observed(observer)
}

/// What all shards of a run read.
struct Run<'a> {
    target: &'a Target,
    dialer: Dialer,
    bodies: Bodies,
    asks: &'a [Ask],
    limits: &'a Limits,
    shared: Shared,
}

impl Run<'_> {
    fn observed(&self, observer: &dyn Observer) -> Result<Observation, ClientError> {
        let parts = shards::split(self.asks, self.limits);
        let count = parts.len() as u64;
        let (ready, are_ready) = channel();
        let (alive, ended) = channel::<()>();
        let (t0, seen) = thread::scope(|scope| {
            let mut starts = Vec::new();
            let mut threads = Vec::new();
            for (number, mine) in (0..).zip(&parts) {
                let (start, started) = channel();
                let (ready, alive) = (ready.clone(), alive.clone());
                let shard = Shard {
                    run: self,
                    number,
                    of: count,
                    mine,
                };
                let work = move || {
                    let _alive = alive;
                    let seen = shard.on_this_thread(ready, &started, observer);
                    if seen.is_err() {
                        // the others would wait for what this one had
                        self.shared.end();
                    }
                    seen
                };
                let thread = thread::Builder::new().name("load".to_owned());
                threads.push(thread.spawn_scoped(scope, work)?);
                starts.push(start);
            }
            drop((ready, alive));
            // ends when each is ready or gone
            let all_ready = are_ready.iter().count() == threads.len();
            let t0 = Instant::now();
            // a shard that is not told when to start ends without a word
            for start in starts.drain(..).filter(|_| all_ready) {
                let _ = start.send(t0);
            }
            self.watch(&ended, Clock { t0 }, observer);
            let ends = threads.into_iter().map(|thread| thread.join());
            let seen = ends.map(|end| end.unwrap_or_else(|panic| resume_unwind(panic)));
            Ok::<_, ClientError>((t0, seen.collect::<Result<Vec<_>, _>>()?))
        })?;
        let seen: Vec<ShardSeen> = seen.into_iter().flatten().collect();
        let ended_s = seen.iter().map(|shard| shard.ended_s).fold(0.0, f64::max);
        observer.progress(self.shared.counts(ended_s));
        Ok(self.merged(t0, &parts, seen, ended_s))
    }

    /// Tells and asks the observer until the last shard has ended.
    fn watch(&self, ended: &Receiver<()>, clock: Clock, observer: &dyn Observer) {
        while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            observer.progress(self.shared.counts(clock.now()));
            let limit_s = self.limits.drain_timeout_s;
            if observer.stop() || self.shared.is_drained(limit_s, clock.now()) {
                self.shared.end();
            }
        }
    }

    fn merged(
        &self,
        t0: Instant,
        parts: &[Vec<usize>],
        seen: Vec<ShardSeen>,
        ended_s: f64,
    ) -> Observation {
        let mut requests: Vec<Option<Observed>> = Vec::new();
        requests.resize_with(self.asks.len(), || None);
        let cpu_s = seen.iter().map(|shard| shard.cpu_s);
        let mut observation = Observation {
            requests: Vec::new(),
            t0,
            ended_s,
            client_cpu_s: cpu_s.clone().sum(),
            busiest_cpu_s: cpu_s.fold(0.0, f64::max),
            shards: parts.len() as u64,
            lag: Lag::default(),
            peak_in_flight: self.shared.peak_in_flight(),
            raised_priority: seen.iter().all(|shard| shard.raised_priority),
        };
        let mut lags = Vec::with_capacity(self.asks.len());
        for (number, (mine, shard)) in (0..).zip(parts.iter().zip(seen)) {
            lags.extend(shard.lags);
            for (&ask, seen) in mine.iter().zip(shard.requests) {
                requests[ask] = Some(Observed {
                    shard: number,
                    ..seen
                });
            }
        }
        observation.lag = Lag::of(lags);
        observation.requests = requests.into_iter().flatten().collect();
        observation
    }
}

/// A runtime of the calling thread alone.
pub(crate) fn runtime() -> Result<Runtime, ClientError> {
    let built = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build();
    built.map_err(ClientError::System)
}
