use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::options::Options;
use crate::server::{Bound, Ended, ServeError, bind};

/// A server on a thread of its own, for tests. Dropped, it stops.
pub struct Handle {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<Ended, ServeError>>>,
}

/// Starts a server on a thread of its own and returns when it listens.
///
/// # Errors
/// When it cannot listen or run.
pub fn spawn(options: Options) -> Result<Handle, ServeError> {
    let (stop, stopped) = oneshot::channel();
    let (listens, listening) = mpsc::channel();
    let thread = thread::Builder::new()
        .name("sbt-serve".to_owned())
        .spawn(move || {
            let (runtime, bound) = start(options)?;
            // Whoever started it waits for this.
            let _ = listens.send(bound.addr());
            runtime.block_on(bound.serve(async {
                // A dropped handle stops it too.
                let _ = stopped.await;
            }))
        })?;
    let mut handle = Handle {
        addr: SocketAddr::from(([0, 0, 0, 0], 0)),
        stop: Some(stop),
        thread: Some(thread),
    };
    match listening.recv() {
        Ok(addr) => handle.addr = addr,
        Err(_) => return Err(handle.ended().err().unwrap_or_else(stopped_early)),
    }
    Ok(handle)
}

fn start(options: Options) -> Result<(Runtime, Bound), ServeError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let bound = runtime.block_on(bind(options))?;
    Ok((runtime, bound))
}

fn stopped_early() -> ServeError {
    std::io::Error::other("the server's thread stopped").into()
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where clients find the API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Stops it and waits until every connection is closed.
    ///
    /// # Errors
    /// When it could not go on before.
    pub fn stop(mut self) -> Result<Ended, ServeError> {
        self.stop.take();
        self.ended()
    }

    fn ended(&mut self) -> Result<Ended, ServeError> {
        let joined = self.thread.take().map(JoinHandle::join);
        joined
            .and_then(Result::ok)
            .unwrap_or_else(|| Err(stopped_early()))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // How it ended interests nobody any more.
            let _ = thread.join();
        }
    }
}
