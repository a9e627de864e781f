use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::app::{App, Countdown};
use crate::clock::monotonic_s;
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::options::{self, Options};
use crate::pace::Pace;
use crate::routes::answer;
use crate::truth::{Record, TruthLog};
use crate::wire::{Line, Wire};

/// Why a server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It cannot listen.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// Host and port.
        address: String,
        /// Of the system.
        source: io::Error,
    },
    /// The truth log cannot be written.
    #[error("cannot write {path}: {source}")]
    Truth {
        /// The file.
        path: PathBuf,
        /// Of the system.
        source: io::Error,
    },
    /// The system refuses a timer or a thread.
    #[error("cannot run: {0}")]
    System(#[from] io::Error),
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// As it was told.
    Stopped,
    /// By the crash that was asked for: every connection is closed.
    Crashed,
}

/// A server that listens and does not serve yet.
pub struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
    app: Arc<App>,
}

/// Listens as the options say, after their start-up time.
///
/// # Errors
/// When the address cannot be had or the truth log cannot be written.
pub async fn bind(options: Options) -> Result<Bound, ServeError> {
    let truth = options
        .truth
        .map(|path| TruthLog::create(&path).map_err(|source| ServeError::Truth { path, source }));
    let truth = truth.transpose()?;
    tokio::time::sleep(Duration::from_secs_f64(options.startup_s.max(0.0))).await;
    let address = (options.host.as_str(), options.port);
    let listen = |source| ServeError::Listen {
        address: format!("{}:{}", options.host, options.port),
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let addr = listener.local_addr()?;
    let pace = match options.engine {
        options::Engine::Fixed(times) => Pace::fixed(times),
        options::Engine::Simulated(live) => Pace::Simulated(live),
    };
    let app = App {
        model: options.model,
        max_model_len: pace.max_model_len(),
        engine: Engine::new(pace, options.speed),
        metrics: Arc::new(Metrics::new()),
        tokens_per_event: options.tokens_per_event.max(1),
        events_per_write: options.events_per_write.max(1),
        faults: options.faults,
        api_key: options.api_key,
        truth,
        crash: Countdown::new(options.crash_after),
        refuse: Countdown::new(options.refuse_after),
        received: AtomicU64::new(0),
        requests: AtomicU64::new(0),
    };
    Ok(Bound {
        listener,
        addr,
        app: Arc::new(app),
    })
}

impl Bound {
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

    /// Serves until the future is ready or the server crashes as asked. Streams under way end then.
    ///
    /// # Errors
    /// When the system refuses a timer.
    pub async fn serve(self, until: impl Future<Output = ()>) -> Result<Ended, ServeError> {
        let Self { listener, app, .. } = self;
        let mut until = pin!(until);
        let mut engine = pin!(app.engine.run());
        let mut listener = Some(listener);
        // Dropped at the end, it closes every connection.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut until => return Ok(Ended::Stopped),
                () = app.crash.reached() => return Ok(Ended::Crashed),
                () = app.refuse.reached() => listener = None,
                ran = &mut engine => ran?,
                Some(_) = connections.join_next() => {}
                stream = accept(listener.as_ref()) => {
                    // A connection that is gone already, or too many open files: others go on.
                    if let Ok(stream) = stream {
                        connections.spawn(connection(stream, Arc::clone(&app)));
                    }
                }
            }
        }
    }
}

/// The next connection; never, when none is listened for.
async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|accepted| accepted.0),
        None => std::future::pending().await,
    }
}

async fn connection(stream: TcpStream, app: Arc<App>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let line = Line::default();
    let wire = Wire::new(stream, line.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, line) = (Arc::clone(&app), line.clone());
        line.begin(record(&app, &request));
        async move { Ok::<_, Infallible>(answer(app, line, request).await) }
    });
    // A client that breaks off, or a cut that was asked for: nobody is left to tell.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(wire), service)
        .await;
}

fn record(app: &App, request: &Request<Incoming>) -> Record {
    let id = request.headers().get("x-request-id");
    let id = id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let count = app.received.fetch_add(1, Ordering::Relaxed) + 1;
    Record {
        request_id: id.unwrap_or_else(|| format!("sbt-{count}")),
        path: request.uri().path().to_owned(),
        received_s: monotonic_s(),
        first_write_s: None,
        token_writes: Vec::new(),
        status: None,
        fault: None,
        log: app.truth.clone(),
    }
}
