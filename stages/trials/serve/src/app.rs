use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::engine::Engine;
use crate::fault::FaultRates;
use crate::metrics::Metrics;
use crate::truth::TruthLog;

/// What all requests share.
pub(crate) struct App {
    pub(crate) model: String,
    pub(crate) engine: Arc<Engine>,
    pub(crate) max_model_len: u32,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tokens_per_event: u32,
    pub(crate) events_per_write: u32,
    pub(crate) faults: FaultRates,
    pub(crate) api_key: Option<String>,
    pub(crate) truth: Option<TruthLog>,
    pub(crate) crash: Countdown,
    pub(crate) refuse: Countdown,
    /// Requests of every kind, for their names.
    pub(crate) received: AtomicU64,
    /// Requests to generate.
    pub(crate) requests: AtomicU64,
}

impl App {
    /// Counts a request to generate; its number, from 0.
    pub(crate) fn count(&self) -> u64 {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        self.crash.count(number + 1);
        self.refuse.count(number + 1);
        number
    }
}

/// Fires at a number of requests.
pub(crate) struct Countdown {
    at: Option<u64>,
    reached: Notify,
}

impl Countdown {
    pub(crate) fn new(at: Option<u64>) -> Self {
        Self {
            at,
            reached: Notify::new(),
        }
    }

    fn count(&self, requests: u64) {
        if self.at == Some(requests) {
            self.reached.notify_one();
        }
    }

    /// Returns when the number is reached: never, if there is none.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }
}
