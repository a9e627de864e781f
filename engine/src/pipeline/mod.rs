//! From a pipeline file to a plan.

mod condition;
mod document;
mod duration;
mod include;
mod instance;
mod layers;
mod load;
mod matrix;
mod origin;
mod output;
mod overrides;
mod params;
mod plan;
mod reference;
mod report;
mod resolve;
mod schema;
mod settings;
mod source;
mod spans;
mod syntax;
#[cfg(test)]
mod tests;
mod toml_value;
mod trace;
mod trail;
mod wiring;

pub use duration::parse_duration;
pub use load::{LoadOptions, load};
pub use origin::{Origin, ResolvedValue, resolved};
pub use plan::{CachePolicy, Plan, PlannedStage, Wire};
pub use schema::pipeline_schema;
