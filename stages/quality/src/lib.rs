//! Does a configuration make the answers worse?
//!
//! Without answers to score, published effects stand in: the share of the reference's score that
//! each quantisation keeps, by task family. Everything here is marked `inferred`.

mod effects;
mod expected;
mod params;
mod stage;

pub use stage::QualityKind;
