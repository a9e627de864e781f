//! Samplers compared by what they truly found, over seeds and scenarios.

mod curve;
mod page;
mod params;
mod searches;
mod stage;
mod truth;

pub use stage::StudyKind;
