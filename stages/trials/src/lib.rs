//! What a trial is, and the runner that every kind with trials shares.
//!
//! One configuration, one workload draw, one arrival-rate scale, one backend: one trial.

mod asking;
mod attribution;
mod backend;
mod batches;
mod candidate;
mod catalogue;
mod config;
mod dominance;
mod draw;
mod excess;
mod goals;
mod hypervolume;
mod identity;
mod intervals;
mod judge;
mod kernels;
mod kind;
mod matrix;
mod measured;
mod memo;
mod metrics;
mod percentile;
mod posterior;
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
mod warm_up;
mod wording;

pub use asking::{Asking, Line, Refusal};
pub use attribution::{attribute, tail_start};
pub use backend::{Backend, EndpointApi, EndpointBackend, LaunchedBackend, SimulatorBackend};
pub use batches::batches;
pub use candidate::aggregate;
pub use catalogue::{CatalogueEntry, Catalogued};
pub use config::{Config, Knob};
pub use dominance::{dominates, front_numbers};
pub use goals::Goals;
pub use hypervolume::hypervolume;
pub use judge::{Appraisal, Judge};
pub use kernels::kernel_tables;
pub use kind::TrialsKind;
pub use matrix::Cholesky;
pub use measured::kill_servers;
pub use percentile::nearest_rank;
pub use posterior::{coefficients, posterior_draws};
pub use protocol::{AtCap, ClientLimits, Connections, PromptForm, Protocol, Slo};
pub use quality::Quality;
pub use runner::{Trial, TrialRunner, TrialSpec};
pub use sbt_simulator::{Factor, Term};
pub use server::{
    Api, ContainerCommand, Deploy, Histogram, KnobKind, KnobSpec, Launch, Metrics, Place,
    Readiness, Recipe, RequestForm, Reset, Rule, ServerSpec, Sizes, TimingsForm, TokenizeForm,
    Told, Version, model_identity,
};
pub use simulated::{SimulatedMachine, simulator_requests};
pub use step_source::{backend_files, calibration_input};
