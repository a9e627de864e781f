//! Simulated against measured: the same configurations and the same requests on both sides.

mod compare;
mod params;
mod ranking;
mod stage;

pub use stage::ValidateKind;
