//! What a trial is, and the runner that every kind with trials shares.
//!
//! One configuration, one workload draw, one arrival-rate scale, one backend: one trial.

mod backend;
mod config;
mod judge;
mod protocol;
mod runner;
mod server;

pub use backend::{Backend, SimulatorBackend};
pub use config::{Config, Knob};
pub use judge::{Goals, Judge, aggregate};
pub use protocol::{ClientLimits, Protocol, Slo};
pub use runner::{Trial, TrialRunner, TrialSpec};
pub use server::{KnobKind, KnobSpec, Rule, ServerSpec};
