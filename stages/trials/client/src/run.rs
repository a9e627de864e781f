//! The run of a schedule: one thread of its own, which sends on time and keeps account of every ask.

mod driver;
mod request;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::ask::check;
use crate::body::Bodies;
use crate::clock::Clock;
use crate::connection::{Connection, Dialer};
use crate::exchange::Exchange;
use crate::pacer::Pacer;
use crate::process;
use crate::{Ask, ClientError, Features, Limits, Observation, Observer, Target, Vocabulary};

use driver::Driver;

/// Polls of the event loop between looks at timers and sockets: a quarter more often than tokio's own,
/// so that a burst of tokens does not hold up a send.
const EVENT_INTERVAL: u32 = 47;

/// Between two connections before the run: at most 200 a second, as more at once cost a second each where
/// the server's queue of new connections is full.
const OPEN_EVERY: Duration = Duration::from_millis(5);

/// Sends the schedule and waits for its end: until all measured asks have ended, or the observer stops it,
/// or `drain_timeout_s` is over. What is then in flight is cancelled; every ask has its entry.
///
/// The thread of the run is its own, with one runtime; the caller's waits.
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
    vocabulary.check()?;
    let bound = limits.max_in_flight.unwrap_or(asks.len() as u64);
    let in_flight = bound.min(asks.len() as u64);
    process::raise_files(in_flight, limits.max_in_flight.is_some())?;
    let bodies = Bodies {
        api: target.api,
        model: target.model.clone(),
        features,
        vocabulary: vocabulary.clone(),
    };
    thread::scope(|scope| {
        thread::Builder::new()
            .name("load".to_owned())
            .spawn_scoped(scope, || {
                on_this_thread(target, bodies, asks, limits, observer)
            })?
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn on_this_thread(
    target: &Target,
    bodies: Bodies,
    asks: &[Ask],
    limits: &Limits,
    observer: &dyn Observer,
) -> Result<Observation, ClientError> {
    let raised_priority = process::raise_priority();
    let dialer = Dialer::new(target)?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let idle = open(&dialer, limits, observer).await;
        let pacer = Pacer::new()?;
        let mut driver = Driver::new(asks, bodies, idle);
        let clock = Clock { t0: Instant::now() };
        let exchange = Exchange::new(target, dialer, limits.clone(), clock)?;
        let cpu_before_s = process::cpu_s();
        let (ended_s, lag) = driver.drive(Arc::new(exchange), pacer, observer).await?;
        let client_cpu_s = process::cpu_s() - cpu_before_s;
        Ok(Observation {
            peak_in_flight: driver.peak_in_flight(),
            requests: driver.into_requests(),
            t0: clock.t0,
            ended_s,
            lag,
            client_cpu_s,
            raised_priority,
        })
    })
}

/// A runtime of the calling thread alone.
pub(crate) fn runtime() -> Result<Runtime, ClientError> {
    let built = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build();
    built.map_err(ClientError::System)
}

/// Opens connections before the run. One that fails is no fault yet: a request will meet it.
async fn open(dialer: &Dialer, limits: &Limits, observer: &dyn Observer) -> Vec<Connection> {
    let mut open = Vec::new();
    let most = limits.max_in_flight.unwrap_or(u64::MAX);
    for _ in 0..limits.open_before.min(most) {
        let dialled = tokio::time::timeout(Duration::from_secs(5), dialer.dial()).await;
        let Ok(Ok(connection)) = dialled else { break };
        open.push(connection);
        if observer.stop() {
            break;
        }
        tokio::time::sleep(OPEN_EVERY).await;
    }
    open
}
