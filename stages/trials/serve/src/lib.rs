//! A simulated OpenAI server: the simulator's engine in real time behind HTTP, with faults on
//! demand. Users try things without a GPU, tests play every fault, clients are calibrated.
//!
//! Everything it answers is labelled as simulated: the header `server`, `system_fingerprint`,
//! `owned_by`, `/version`.

mod answer;
mod api_error;
mod app;
mod asked;
mod body;
mod clock;
mod engine;
mod fault;
mod fixed;
mod generate;
mod handle;
mod metrics;
mod options;
mod pace;
mod progress;
mod routes;
mod server;
mod timer;
mod tokenizer;
mod truth;
mod voice;
mod wire;

pub use fault::{Fault, FaultRates, UnknownFault};
pub use fixed::FixedTimes;
pub use handle::{Handle, spawn};
pub use options::{Engine, Options};
pub use server::{Bound, Ended, ServeError, bind};
