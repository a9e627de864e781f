//! Capacity and cost at a service-level objective.

mod capacity;
mod cost;
mod curve;
mod found;
mod load;
mod params;
mod pool;
mod queueing;
mod replica;
mod stage;

pub use stage::PlanKind;
