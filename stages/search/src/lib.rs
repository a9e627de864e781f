//! Samplers behind one ask/tell core, and the search over a serving space.

mod archive;
mod condition;
mod dimension;
mod evaluator;
mod feasibility;
mod genetic;
mod params;
mod point;
pub mod problems;
mod race;
mod random;
mod sampler;
mod sobol;
mod space;
mod stage;
mod stopping;
mod study;
mod tpe;
mod trace;
mod transfer;

pub use dimension::Dimension;
pub use genetic::{Nsga2, Nsga3};
pub use point::Point;
pub use sampler::{Evaluation, Sampler};
pub use sobol::Sobol;
pub use space::Space;
pub use stage::SearchKind;
pub use tpe::Tpe;
