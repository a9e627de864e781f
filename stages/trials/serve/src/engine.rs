use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sbt_simulator::{Emission, Gauges};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::clock::monotonic_s;
use crate::pace::Pace;
use crate::timer::Timer;

/// An engine in real time: its clock is the machine's, times `speed`.
pub(crate) struct Engine {
    state: Mutex<State>,
    submitted: Notify,
    origin_s: f64,
    speed: f64,
}

struct State {
    pace: Pace,
    takers: BTreeMap<u64, UnboundedSender<Emission>>,
    came: Vec<Emission>,
}

impl Engine {
    pub(crate) fn new(pace: Pace, speed: f64) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                pace,
                takers: BTreeMap::new(),
                came: Vec::new(),
            }),
            submitted: Notify::new(),
            origin_s: monotonic_s(),
            speed,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn engine_s(&self, monotonic_s: f64) -> f64 {
        (monotonic_s - self.origin_s) * self.speed
    }

    fn monotonic_s(&self, engine_s: f64) -> f64 {
        self.origin_s + engine_s / self.speed
    }

    pub(crate) fn gauges(&self) -> Gauges {
        self.lock().pace.gauges()
    }

    /// Forgets cached prefixes; false while blocks are in use.
    pub(crate) fn reset_prefix_cache(&self) -> bool {
        self.lock().pace.reset_prefix_cache()
    }

    /// Submits a request that was received at a time: `prompt` and `answer` are its token ids.
    /// None: the queue is full.
    pub(crate) fn submit(
        self: &Arc<Self>,
        received_s: f64,
        prompt: &[u32],
        answer: &[u32],
    ) -> Option<Generation> {
        let (taker, emissions) = unbounded_channel();
        let mut state = self.lock();
        let now_s = self.engine_s(received_s);
        let request = state.pace.submit(now_s, prompt, answer)?;
        state.takers.insert(request, taker);
        drop(state);
        self.submitted.notify_one();
        Some(Generation {
            request,
            emissions,
            engine: Arc::clone(self),
        })
    }

    /// Hands tokens over at their times, for ever.
    pub(crate) async fn run(&self) -> io::Result<()> {
        let timer = Timer::new()?;
        loop {
            match self.hand_over() {
                Some(next_s) => tokio::select! {
                    woken = timer.until(next_s) => woken?,
                    () = self.submitted.notified() => {}
                },
                None => self.submitted.notified().await,
            }
        }
    }

    /// Hands over what is due; the time of what comes next.
    fn hand_over(&self) -> Option<f64> {
        let mut state = self.lock();
        let State { pace, takers, came } = &mut *state;
        pace.advance(self.engine_s(monotonic_s()), came);
        for emission in came.drain(..) {
            if let Some(taker) = takers.get(&emission.request) {
                // A taker that has gone has aborted.
                let _ = taker.send(emission);
            }
            if emission.last {
                takers.remove(&emission.request);
            }
        }
        pace.next_s().map(|next| self.monotonic_s(next))
    }
}

/// The tokens of one request as they come; dropped, it aborts what is left.
pub(crate) struct Generation {
    request: u64,
    emissions: UnboundedReceiver<Emission>,
    engine: Arc<Engine>,
}

impl Generation {
    /// The next token, its times on `CLOCK_MONOTONIC`; none after the last.
    pub(crate) async fn next(&mut self) -> Option<Emission> {
        let mut emission = self.emissions.recv().await?;
        emission.at_s = self.engine.monotonic_s(emission.at_s);
        emission.scheduled_s = self.engine.monotonic_s(emission.scheduled_s);
        Some(emission)
    }

    /// Whether a token has come that was not taken yet.
    pub(crate) fn due(&self) -> bool {
        !self.emissions.is_empty()
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        let mut state = self.engine.lock();
        if state.takers.remove(&self.request).is_some() {
            let now_s = self.engine.engine_s(monotonic_s());
            state.pace.abort(now_s, self.request);
        }
    }
}
