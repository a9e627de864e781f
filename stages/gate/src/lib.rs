//! Regression gates: limits in, verdicts out.

mod check;
mod figures;
mod limits;
mod regression;
mod stage;

pub use regression::RegressionKind;
pub use stage::GateKind;
