//! Simulated against measured, one folder per mode.

mod aggregate;
mod calibrate;
mod compared;
mod errors;
mod interval;
mod kind;
mod latencies;
mod ranking;
mod recorded;
mod replay;
mod scene;
mod trial_run;

pub use kind::ValidateKind;
