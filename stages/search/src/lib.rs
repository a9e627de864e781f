//! Samplers behind one ask/tell core, and the search over a serving space.

mod dimension;
mod evaluator;
mod feasibility;
mod nsga2;
mod params;
mod point;
#[cfg(test)]
mod problems;
mod random;
mod sampler;
mod space;
mod stage;
mod study;
mod trace;
mod transfer;

pub use dimension::Dimension;
pub use sampler::{Evaluation, Sampler};
pub use space::Space;
pub use stage::SearchKind;
