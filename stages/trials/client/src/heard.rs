use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// When anything last came from the server, over any connection of a run: nanoseconds from t0.
#[derive(Debug, Default)]
pub(crate) struct Heard(AtomicU64);

impl Heard {
    pub(crate) fn note(&self, at_s: f64) {
        self.0.store((at_s * 1e9) as u64, Relaxed);
    }

    pub(crate) fn last_s(&self) -> f64 {
        self.0.load(Relaxed) as f64 / 1e9
    }
}
