//! Studies of the statistics themselves, on the simulator, where true values can be had: how often
//! an interval holds them, and what selection adds to the figures of a search.

mod coverage;
mod load;
mod params;
mod shrinkage;
mod tally;
mod truth;

pub use coverage::CoverageKind;
pub use shrinkage::ShrinkageKind;
