//! What the shards of a run share, and its watcher reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::heard::Heard;
use crate::{Ask, Counts, Limits};

/// The account of a run.
pub(super) struct Shared {
    /// Asks that are waited for, in all.
    asked: usize,
    ok: AtomicUsize,
    failed: AtomicUsize,
    in_flight: AtomicUsize,
    peak_in_flight: AtomicUsize,
    /// Whether no ask is measured: then all are waited for.
    waits_for_all: bool,
    waited_for: AtomicUsize,
    unsent: AtomicUsize,
    /// When the last ask was sent that is waited for, nanoseconds from t0.
    last_send_ns: AtomicU64,
    is_over: watch::Sender<bool>,
    places: Places,
    heard: Arc<Heard>,
}

impl Shared {
    pub(super) fn new(asks: &[Ask], limits: &Limits) -> Self {
        let measured = asks.iter().filter(|ask| ask.measured).count();
        let waited_for = if measured == 0 { asks.len() } else { measured };
        Self {
            asked: waited_for,
            ok: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            peak_in_flight: AtomicUsize::new(0),
            waits_for_all: measured == 0,
            waited_for: AtomicUsize::new(waited_for),
            unsent: AtomicUsize::new(waited_for),
            last_send_ns: AtomicU64::new(0),
            is_over: watch::Sender::new(waited_for == 0),
            places: Places::new(limits.max_in_flight),
            heard: Arc::default(),
        }
    }

    /// Notes a send at `now_s`; gives the requests in flight, this one included.
    pub(super) fn sent(&self, ask: &Ask, now_s: f64) -> u64 {
        let in_flight = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.peak_in_flight.fetch_max(in_flight, Relaxed);
        if in_flight == 1 {
            self.heard.note(now_s);
        }
        if self.waits_for(ask) {
            self.last_send_ns.fetch_max((now_s * 1e9) as u64, Relaxed);
            self.unsent.fetch_sub(1, Relaxed);
        }
        in_flight as u64
    }

    /// Notes that a request that was sent has ended.
    pub(super) fn ended(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Notes that an ask will not be sent.
    pub(super) fn not_sent(&self, ask: &Ask) {
        if self.waits_for(ask) {
            self.unsent.fetch_sub(1, Relaxed);
        }
    }

    /// Notes what became of an ask, sent or not; the run is over with the last that is waited for.
    pub(super) fn settled(&self, ask: &Ask, is_ok: bool) {
        if !self.waits_for(ask) {
            return;
        }
        let count = if is_ok { &self.ok } else { &self.failed };
        count.fetch_add(1, Relaxed);
        if self.waited_for.fetch_sub(1, Relaxed) == 1 {
            self.end();
        }
    }

    fn waits_for(&self, ask: &Ask) -> bool {
        self.waits_for_all || ask.measured
    }

    /// Tells every shard to send nothing more and to cancel what is in flight.
    pub(super) fn end(&self) {
        self.is_over.send_replace(true);
    }

    /// Tells when the run is over.
    pub(super) fn over(&self) -> watch::Receiver<bool> {
        self.is_over.subscribe()
    }

    /// Whether all is sent that is waited for, the last of it more than `limit_s` ago.
    pub(super) fn is_drained(&self, limit_s: Option<f64>, now_s: f64) -> bool {
        let last_send_s = self.last_send_ns.load(Relaxed) as f64 / 1e9;
        self.unsent.load(Relaxed) == 0
            && limit_s.is_some_and(|limit_s| now_s - last_send_s > limit_s)
    }

    pub(super) fn counts(&self, now_s: f64) -> Counts {
        let in_flight = self.in_flight.load(Relaxed);
        let silent_s = (now_s - self.heard.last_s()).max(0.0);
        Counts {
            asked: self.asked,
            in_flight,
            silent_s: if in_flight > 0 { silent_s } else { 0.0 },
            ok: self.ok.load(Relaxed),
            failed: self.failed.load(Relaxed),
        }
    }

    pub(super) fn peak_in_flight(&self) -> u64 {
        self.peak_in_flight.load(Relaxed) as u64
    }

    pub(super) fn heard(&self) -> Arc<Heard> {
        Arc::clone(&self.heard)
    }

    pub(super) fn places(&self) -> Places {
        self.places.clone()
    }
}

/// Places among the requests in flight, of which there may be no end.
#[derive(Clone)]
pub(super) struct Places(Option<Arc<Semaphore>>);

/// A place among the requests in flight, free again when dropped.
#[derive(Default)]
pub(super) struct Place(
    #[expect(dead_code, reason = "held for its end")] Option<OwnedSemaphorePermit>,
);

impl Places {
    fn new(most: Option<u64>) -> Self {
        let most = most.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        Self(most.map(|most| Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)))))
    }

    /// A place, if one is free.
    pub(super) fn try_take(&self) -> Option<Place> {
        let Some(places) = &self.0 else {
            return Some(Place::default());
        };
        let place = Arc::clone(places).try_acquire_owned().ok()?;
        Some(Place(Some(place)))
    }

    /// A place, once one is free.
    pub(super) async fn take(&self) -> Place {
        match &self.0 {
            // the semaphore is never closed
            Some(places) => Place(Arc::clone(places).acquire_owned().await.ok()),
            None => Place::default(),
        }
    }
}
