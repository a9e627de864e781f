use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::driver::Driver;
use super::{Run, runtime};
use crate::clock::Clock;
use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::pacer::Pacer;
use crate::process;
use crate::{ClientError, Connections, Observed, Observer};

/// Between two connections before the run: at most 200 a second, as more at once cost a second each where
/// the server's queue of new connections is full.
const OPEN_EVERY: Duration = Duration::from_millis(5);

/// Time for a connection before the run.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// A thread's part of a run: its own asks, connections, timer and account.
pub(super) struct Shard<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) number: u64,
    pub(super) of: u64,
    /// Its asks, by index.
    pub(super) mine: &'a [usize],
}

/// What a shard saw.
pub(super) struct ShardSeen {
    /// One for each of its asks, in order.
    pub(super) requests: Vec<Observed>,
    pub(super) lags: Vec<f64>,
    pub(super) ended_s: f64,
    pub(super) cpu_s: f64,
    pub(super) raised_priority: bool,
}

impl Shard<'_> {
    /// Makes ready, says so, and runs from the instant that it is then given; without one it ends, as
    /// another shard could not make ready.
    pub(super) fn on_this_thread(
        &self,
        ready: Sender<()>,
        start: &Receiver<Instant>,
        observer: &dyn Observer,
    ) -> Result<Option<ShardSeen>, ClientError> {
        let raised_priority = process::raise_priority();
        let runtime = runtime()?;
        runtime.block_on(async {
            let Run {
                target,
                dialer,
                bodies,
                asks,
                limits,
                shared,
            } = self.run;
            let idle = self.open(observer).await;
            let pacer = Pacer::new()?;
            let mut driver = Driver::new(asks, self.mine, bodies, shared, limits.connections, idle);
            // the run ends before it begins when this cannot be told
            let _ = ready.send(());
            drop(ready);
            let Ok(t0) = start.recv() else {
                return Ok(None);
            };
            let clock = Clock { t0 };
            let (dialer, limits) = (dialer.clone(), (*limits).clone());
            let exchange = Exchange::new(target, dialer, limits, clock, shared.heard());
            let cpu_before_s = process::cpu_s();
            driver.drive(Arc::new(exchange), pacer).await?;
            let cpu_s = process::cpu_s() - cpu_before_s;
            let (requests, lags) = driver.into_seen();
            Ok(Some(ShardSeen {
                requests,
                lags,
                ended_s: clock.now(),
                cpu_s,
                raised_priority,
            }))
        })
    }

    /// Opens connections before the run, with the other shards in turn. One that fails is no fault yet: a
    /// request will meet it.
    async fn open(&self, observer: &dyn Observer) -> Vec<Connection> {
        let Run { dialer, limits, .. } = self.run;
        let mut open = Vec::new();
        if limits.connections == Connections::Fresh {
            return open;
        }
        let all = limits
            .open_before
            .min(limits.max_in_flight.unwrap_or(u64::MAX));
        let every = OPEN_EVERY * u32::try_from(self.of).unwrap_or(u32::MAX);
        for _ in (self.number..all).step_by(usize::try_from(self.of).unwrap_or(usize::MAX)) {
            let dialled = tokio::time::timeout(OPEN_WITHIN, dialer.dial()).await;
            let Ok(Ok(connection)) = dialled else { break };
            open.push(connection);
            if observer.stop() {
                break;
            }
            tokio::time::sleep(every).await;
        }
        open
    }
}
