//! Capacity and cost at a service-level objective.

mod capacity;
mod params;
mod stage;

pub use stage::PlanKind;
