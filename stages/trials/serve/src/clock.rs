use rustix::time::{ClockId, clock_gettime};

/// Seconds on `CLOCK_MONOTONIC`: a client on the same machine can compare its own stamps.
pub(crate) fn monotonic_s() -> f64 {
    seconds(ClockId::Monotonic)
}

/// Whole seconds since 1970, for the field `created` of an answer.
pub(crate) fn unix_s() -> u64 {
    seconds(ClockId::Realtime) as u64
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
