//! From a pipeline file to a plan.

mod plan;

pub use plan::{CachePolicy, Plan, PlannedStage, Wire};
