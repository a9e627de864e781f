//! Mode `aggregate`: means of concurrency sweeps, which no one has the requests of.

mod fit;
mod group;
mod params;
mod point;
mod reader;
mod report;
mod rows;
mod scene;
mod stage;

pub(crate) use params::Params;
pub(crate) use stage::AggregateStage;
