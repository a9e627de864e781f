//! Load generator for OpenAI-compatible servers.
//!
//! [`run`] sends a schedule of [`Ask`]s to a [`Target`] and gives one [`Observed`] for each, whatever
//! happens. The schedule is fixed before the run; requests are sent at their intended times by a timer
//! that does not round; each piece of an answer is stamped before it is parsed; only events that carry a
//! token count as tokens, and every fault has a class of its own ([`RequestStatus`]).
//!
//! Everything comes in through arguments: the crate reads no environment and no wall clock, and the key of
//! an endpoint leaves it in no way but the header of a request.
//!
//! [`RequestStatus`]: sbt_schemas::RequestStatus

mod answer;
mod ask;
mod body;
mod chunk;
mod clock;
mod connection;
mod download;
mod error;
mod exchange;
mod fault;
mod guard;
mod heard;
mod key;
mod observed;
mod pacer;
mod probe;
mod process;
pub mod prometheus;
mod run;
pub mod side;
mod sse;
mod target;
mod tls;
mod vocabulary;

pub use ask::{
    Ask, AtCap, Connections, Counts, Features, Limits, Observer, PromptForm, PromptWords,
};
pub use download::{DownloadError, download};
pub use error::ClientError;
pub use key::{ApiKey, redact};
pub use observed::{Lag, Observation, Observed, ServerTimings, Warning};
pub use probe::{Probe, ProbeFailure, probe};
pub use run::run;
pub use target::{Api, Roots, Target};
pub use vocabulary::Vocabulary;
