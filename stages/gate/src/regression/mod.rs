//! Holds the results of one run against those of another.

mod compare;
mod report;
mod side;
mod stage;

pub use stage::RegressionKind;
