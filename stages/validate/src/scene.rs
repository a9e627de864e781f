use std::collections::BTreeMap;

use sbt_engine::{Digest, StageError};
use sbt_schemas::RequestStatus;
use sbt_simulator::{Client, LaunchFailure, Request, Served, StepSource};
use sbt_trials::SimulatedMachine;

use crate::latencies::Latencies;

/// Whose times are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The server's, from its queue to its last token.
    Server,
    /// The client's, from the send to the last token.
    Client,
}

/// A real run and what is needed to simulate it: one measured value for each request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scene {
    /// Server, model and hardware, for people.
    pub(crate) title: String,
    pub(crate) machine: SimulatedMachine,
    pub(crate) clock: Clock,
    pub(crate) requests: Vec<Request>,
    pub(crate) measured: Vec<Latencies>,
    /// Tokens of each request, where the run has their times; else empty.
    pub(crate) streams: Vec<Stream>,
}

/// The tokens of one request as they came, one by one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stream {
    /// When it was sent, seconds.
    pub(crate) sent_s: f64,
    /// When each token came, seconds.
    pub(crate) tokens_s: Vec<f64>,
    /// Prompt tokens that were cached.
    pub(crate) cached: u32,
}

/// What every simulation depends on besides its inputs.
pub(crate) fn identity() -> BTreeMap<String, String> {
    let data = Digest::of(sbt_simulator::data_digest_source().concat().as_bytes());
    [
        ("simulator".to_owned(), sbt_simulator::REVISION.to_string()),
        ("catalogue".to_owned(), data.short()),
    ]
    .into()
}

/// Why a scene cannot be simulated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum SceneError {
    /// The simulated server does not come up.
    #[error("the simulated server does not come up as the real one did: {0}")]
    Launch(#[from] LaunchFailure),
    /// It does not finish a request.
    #[error(
        "the simulated server does not finish request {request}, as the real one did: {status}"
    )]
    Unfinished {
        /// Number of the request, from 0.
        request: usize,
        /// How it ended.
        status: RequestStatus,
    },
    /// Nothing is left to compare.
    #[error(
        "there are {requests} requests, and the first {first} are for calibration: expected some that are not"
    )]
    NothingHeldBack {
        /// Requests of the run.
        requests: usize,
        /// Requests to calibrate on.
        first: usize,
    },
}

impl From<SceneError> for StageError {
    fn from(error: SceneError) -> Self {
        Self::user(error.to_string())
    }
}

impl Scene {
    /// Refuses to take every request for calibration.
    pub(crate) fn check_first(&self, first: usize) -> Result<(), SceneError> {
        let requests = self.requests.len();
        if first < requests {
            return Ok(());
        }
        Err(SceneError::NothingHeldBack { requests, first })
    }

    /// Serves the whole workload with step times of a source.
    pub(crate) fn simulate(&self, source: &StepSource) -> Result<Vec<Latencies>, SceneError> {
        let server = self.machine.launch(source)?;
        let run = server.simulate(&self.requests, &Client::default());
        let served = run.requests.iter().enumerate();
        served
            .map(|(request, served)| {
                self.latencies(served).ok_or(SceneError::Unfinished {
                    request,
                    status: served.status,
                })
            })
            .collect()
    }

    /// How many of the first `n` requests were in flight at once, on average over the time in which
    /// any of them was.
    pub(crate) fn in_flight_together(&self, n: usize) -> f64 {
        let spans = self.requests.iter().zip(&self.measured).take(n);
        let mut spans: Vec<(f64, f64)> = spans
            .map(|(request, measured)| (request.start_s, request.start_s + measured.e2e_s))
            .collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut total, mut any, mut end) = (0.0, 0.0, 0.0_f64);
        for (from, to) in spans {
            total += to - from;
            any += (to - end.max(from)).max(0.0);
            end = end.max(to);
        }
        if any > 0.0 { total / any } else { 1.0 }
    }

    fn latencies(&self, served: &Served) -> Option<Latencies> {
        let ttft_s = match self.clock {
            Clock::Server => served.queue_s? + served.prefill_s?,
            Clock::Client => served.first_token_s? - served.sent_s?,
        };
        Some(Latencies::of(
            ttft_s,
            served.decode_s?,
            served.output_tokens,
        ))
    }
}
