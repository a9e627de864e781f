use std::path::PathBuf;

use sbt_simulator::Live;

use crate::fault::FaultRates;
use crate::fixed::FixedTimes;

/// What decides when tokens come.
pub enum Engine {
    /// A simulated server.
    Simulated(Box<Live>),
    /// The same times for every request.
    Fixed(FixedTimes),
}

/// What is served, and how.
pub struct Options {
    /// Address to listen at.
    pub host: String,
    /// Port to listen at; 0: a free one.
    pub port: u16,
    /// Name of the model.
    pub model: String,
    /// What decides when tokens come.
    pub engine: Engine,
    /// Seconds of the engine per second: 2 halves all latencies.
    pub speed: f64,
    /// Tokens an event.
    pub tokens_per_event: u32,
    /// Events a write, where so many are due.
    pub events_per_write: u32,
    /// Faults played without being asked for.
    pub faults: FaultRates,
    /// Key that a request must carry as `Authorization: Bearer`.
    pub api_key: Option<String>,
    /// Where the truth log goes.
    pub truth: Option<PathBuf>,
    /// Requests to generate after which the server crashes.
    pub crash_after: Option<u64>,
    /// Requests to generate after which new connections are refused.
    pub refuse_after: Option<u64>,
    /// Seconds before it listens: connections are refused until then.
    pub startup_s: f64,
}

impl Options {
    /// A server on a free port of this machine that plays no fault by itself.
    #[must_use]
    pub fn new(model: impl Into<String>, engine: Engine) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 0,
            model: model.into(),
            engine,
            speed: 1.0,
            tokens_per_event: 1,
            events_per_write: 1,
            faults: FaultRates::default(),
            api_key: None,
            truth: None,
            crash_after: None,
            refuse_after: None,
            startup_s: 0.0,
        }
    }
}
