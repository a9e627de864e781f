use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use sbt_engine::Cancel;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signal that asked for the stop; 0 when none did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicI32>);

impl Interrupt {
    /// Listens for SIGINT and SIGTERM on a thread of its own: the first asks the run to stop, the
    /// second stops the process at once. The store stays consistent either way.
    pub(crate) fn listen(cancel: Cancel) -> std::io::Result<Self> {
        let interrupt = Self::default();
        let seen = interrupt.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(seen.wait(cancel)))?;
        Ok(interrupt)
    }

    /// Number of the signal that asked for the stop.
    pub(crate) fn signal(&self) -> Option<i32> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            number => Some(number),
        }
    }

    async fn wait(self, cancel: Cancel) {
        let Ok(mut signals) = Signals::new() else {
            return;
        };
        loop {
            let number = signals.next().await;
            if self.signal().is_some() {
                sbt_stages::kill_servers();
                std::process::exit(128 + number);
            }
            self.0.store(number, Ordering::SeqCst);
            cancel.cancel();
        }
    }
}

/// SIGINT and SIGTERM as they come.
pub(crate) struct Signals {
    interrupts: Signal,
    terminations: Signal,
}

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupts: signal(SignalKind::interrupt())?,
            terminations: signal(SignalKind::terminate())?,
        })
    }

    /// Number of the next one.
    pub(crate) async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupts.recv() => SignalKind::interrupt().as_raw_value(),
            _ = self.terminations.recv() => SignalKind::terminate().as_raw_value(),
        }
    }
}
