//! Simulated against measured, one folder per mode.

mod aggregate;
mod kind;
mod ranking;

pub use kind::ValidateKind;
