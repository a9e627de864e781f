use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use sbt_engine::Cancel;
use tokio::signal::unix::{SignalKind, signal};

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
        let (Ok(mut interrupts), Ok(mut terminations)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        loop {
            let number = tokio::select! {
                _ = interrupts.recv() => SignalKind::interrupt().as_raw_value(),
                _ = terminations.recv() => SignalKind::terminate().as_raw_value(),
            };
            if self.signal().is_some() {
                sbt_stages::kill_servers();
                std::process::exit(128 + number);
            }
            self.0.store(number, Ordering::SeqCst);
            cancel.cancel();
        }
    }
}
