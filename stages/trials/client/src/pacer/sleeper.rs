use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use tokio::sync::Notify;

/// A thread that sleeps, where there are no timers with a descriptor.
pub(crate) struct Pacer {
    orders: Sender<Instant>,
    woken: Arc<Notify>,
    set: Option<Instant>,
}

impl Pacer {
    pub(crate) fn new() -> io::Result<Self> {
        let (orders, received) = channel();
        let woken = Arc::new(Notify::new());
        let wakes = Arc::clone(&woken);
        thread::Builder::new()
            .name("pacer".to_owned())
            .spawn(move || sleep(&received, &wakes))?;
        Ok(Self {
            orders,
            woken,
            set: None,
        })
    }

    /// Waits until `at`, or shorter; for ever without it.
    pub(crate) async fn wait(&mut self, at: Option<Instant>) -> io::Result<()> {
        let Some(at) = at else {
            return std::future::pending().await;
        };
        if self.set != Some(at) {
            let sent = self.orders.send(at);
            sent.map_err(|_| io::Error::other("the pacing thread is gone"))?;
            self.set = Some(at);
        }
        self.woken.notified().await;
        self.set = None;
        Ok(())
    }
}

/// Sleeps until the last order's time, or the next order; ends with the pacer.
fn sleep(orders: &Receiver<Instant>, woken: &Notify) {
    let mut next = orders.recv().ok();
    while let Some(at) = next {
        let left = at.saturating_duration_since(Instant::now());
        next = match orders.recv_timeout(left) {
            Ok(earlier) => Some(earlier),
            Err(RecvTimeoutError::Timeout) => {
                woken.notify_one();
                orders.recv().ok()
            }
            Err(RecvTimeoutError::Disconnected) => None,
        };
    }
}
