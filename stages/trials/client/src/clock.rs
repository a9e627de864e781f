use std::time::{Duration, Instant};

/// Turns instants into seconds from t0; earlier ones are negative.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) t0: Instant,
}

impl Clock {
    pub(crate) fn at(self, instant: Instant) -> f64 {
        match instant.checked_duration_since(self.t0) {
            Some(after) => after.as_secs_f64(),
            None => -(self.t0 - instant).as_secs_f64(),
        }
    }

    pub(crate) fn now(self) -> f64 {
        self.at(Instant::now())
    }
}

/// Later than any run's end.
pub(crate) const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A span of seconds; none when it is negative, or later than any end.
pub(crate) fn span(s: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(s).ok().filter(|d| *d < FAR)
}
