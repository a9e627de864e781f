use std::thread;
use std::time::{Duration, Instant};

/// How often the memory of GPUs is read while it should sink.
const POLL: Duration = Duration::from_millis(200);

/// The memory of GPUs after a stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemoryLevel {
    /// How far the GPU that kept most is above its level before the start, 10^6 bytes.
    pub above_mb: f64,
    /// Whether that is within the tolerance.
    pub is_back: bool,
}

impl MemoryLevel {
    /// Reads `above` until it is within the tolerance or patience ends. None when nothing can be
    /// read.
    pub(crate) fn settled(
        above: impl Fn() -> Option<f64>,
        tolerance_mb: f64,
        patience: Duration,
    ) -> Option<Self> {
        let deadline = Instant::now() + patience;
        loop {
            let above_mb = above()?;
            let is_back = above_mb <= tolerance_mb;
            if is_back || Instant::now() >= deadline {
                return Some(Self { above_mb, is_back });
            }
            thread::sleep(POLL);
        }
    }
}

/// The most that a GPU has above its level before.
pub(crate) fn above(before: &[Option<f64>], now: &[Option<f64>]) -> Option<f64> {
    let both = before.iter().zip(now);
    let above = both.filter_map(|(before, now)| Some((*now)? - (*before)?));
    above.reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_back_when_every_gpu_is() {
        let before = [Some(100.0), Some(500.0), None];
        assert_eq!(
            above(&before, &[Some(90.0), Some(730.0), Some(9e9)]),
            Some(230.0)
        );
        assert_eq!(above(&[None], &[Some(1.0)]), None);
        assert_eq!(above(&[], &[]), None);
    }

    #[test]
    fn memory_that_stays_is_said() {
        let level = MemoryLevel::settled(|| Some(300.0), 64.0, Duration::ZERO).unwrap();
        assert_eq!((level.above_mb, level.is_back), (300.0, false));
    }

    #[test]
    fn memory_that_sinks_is_waited_for() {
        let reads = std::cell::Cell::new(0.0);
        let above = || {
            reads.set(reads.get() + 1.0);
            Some(100.0 / reads.get())
        };
        let level = MemoryLevel::settled(above, 60.0, Duration::from_secs(60)).unwrap();
        assert_eq!((level.above_mb, level.is_back), (50.0, true));
        assert_eq!(MemoryLevel::settled(|| None, 1.0, Duration::ZERO), None);
    }
}
