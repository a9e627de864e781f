//! From a pipeline file to a plan.

mod condition;
mod document;
mod duration;
mod include;
mod instance;
mod layers;
mod load;
mod matrix;
mod output;
mod overrides;
mod params;
mod plan;
mod reference;
mod report;
mod resolve;
mod settings;
mod source;
mod spans;
mod toml_value;
mod trace;
mod trail;
mod wiring;

pub use load::{LoadOptions, load};
pub use plan::{CachePolicy, Plan, PlannedStage, Wire};
