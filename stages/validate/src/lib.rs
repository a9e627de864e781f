//! Simulated against measured, one folder per mode.

mod kind;
mod ranking;

pub use kind::ValidateKind;
