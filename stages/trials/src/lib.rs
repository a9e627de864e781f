//! What a trial is, and the runner that every kind with trials shares.
//!
//! One configuration, one workload draw, one arrival-rate scale, one backend: one trial.

mod asking;
mod attribution;
mod backend;
mod candidate;
mod catalogue;
mod config;
mod dominance;
mod draw;
mod goals;
mod hypervolume;
mod identity;
mod judge;
mod kernels;
mod kind;
mod measured;
mod memo;
mod metrics;
mod percentile;
mod protocol;
mod quality;
mod recommend;
mod request_row;
mod runner;
#[cfg(test)]
mod samples;
mod scale;
mod server;
mod simulated;
mod steady;
mod step_source;
mod trial_row;
mod wording;

pub use asking::{Asking, Line, Refusal};
pub use attribution::{attribute, tail_start};
pub use backend::{Backend, EndpointApi, EndpointBackend, LaunchedBackend, SimulatorBackend};
pub use candidate::aggregate;
pub use catalogue::{CatalogueEntry, Catalogued};
pub use config::{Config, Knob};
pub use dominance::{dominates, front_numbers};
pub use goals::Goals;
pub use hypervolume::hypervolume;
pub use judge::Judge;
pub use kernels::kernel_tables;
pub use kind::TrialsKind;
pub use measured::kill_servers;
pub use percentile::nearest_rank;
pub use protocol::{AtCap, ClientLimits, Connections, PromptForm, Protocol, Slo};
pub use quality::Quality;
pub use runner::{Trial, TrialRunner, TrialSpec};
pub use sbt_simulator::Factor;
pub use server::{
    Api, Deploy, Histogram, KnobKind, KnobSpec, Launch, Metrics, Place, Readiness, Recipe,
    RequestForm, Reset, Rule, ServerSpec, Sizes, TimingsForm, TokenizeForm, Told, Version,
    model_identity,
};
pub use simulated::{SimulatedMachine, simulator_requests};
pub use step_source::{backend_files, calibration_input};
