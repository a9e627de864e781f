use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// A timer of the kernel, awaited like a socket.
pub(crate) struct Pacer {
    timer: AsyncFd<OwnedFd>,
    set: Option<Instant>,
}

impl Pacer {
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for descriptors that may be closed early; this one is owned"
    )]
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self {
            timer: AsyncFd::new(timer)?,
            set: None,
        })
    }

    /// Waits until `at`, or shorter; for ever without it.
    pub(crate) async fn wait(&mut self, at: Option<Instant>) -> io::Result<()> {
        let Some(at) = at else {
            return std::future::pending().await;
        };
        if self.set != Some(at) {
            self.set(at)?;
        }
        let mut ready = self.timer.readable().await?;
        ready.clear_ready();
        self.set = None;
        Ok(())
    }

    fn set(&mut self, at: Instant) -> io::Result<()> {
        // zero would switch the timer off
        let left = at
            .saturating_duration_since(Instant::now())
            .max(Duration::from_nanos(1));
        let value = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: value,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        self.set = Some(at);
        Ok(())
    }
}
