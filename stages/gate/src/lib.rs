//! Regression gates: limits in, verdicts out.

mod check;
mod limits;
mod stage;

pub use stage::GateKind;
