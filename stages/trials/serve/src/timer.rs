use std::io;

/// Wakes at a time on `CLOCK_MONOTONIC`. tokio's own timer rounds up to its next millisecond,
/// which every latency would show; the kernel's is late by some 40 µs.
#[cfg(target_os = "linux")]
pub(crate) struct Timer(tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Timer {
    pub(crate) fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe; an owned descriptor keeps what that asks for"
        )]
        let fd = tokio::io::unix::AsyncFd::new(fd)?;
        Ok(Self(fd))
    }

    pub(crate) async fn until(&self, at_s: f64) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let zero = Timespec::default();
        // A time of zero would disarm it.
        let at_s = at_s.max(1e-9);
        let at = Itimerspec {
            it_interval: zero,
            it_value: Timespec {
                tv_sec: at_s as i64,
                tv_nsec: ((at_s.fract() * 1e9) as i64).max(1),
            },
        };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &at)?;
        loop {
            let mut ready = self.0.readable().await?;
            let read = ready.try_io(|fd| {
                let mut expirations = [0; 8];
                Ok(rustix::io::read(fd, &mut expirations)?)
            });
            // Not expired yet: the readiness was that of an earlier time.
            if let Ok(read) = read {
                return read.map(drop);
            }
        }
    }
}

/// Elsewhere tokio's timer has to do: late by up to 2 ms.
#[cfg(not(target_os = "linux"))]
pub(crate) struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn until(&self, at_s: f64) -> io::Result<()> {
        let left_s = (at_s - crate::clock::monotonic_s()).max(0.0);
        tokio::time::sleep(std::time::Duration::from_secs_f64(left_s)).await;
        Ok(())
    }
}
