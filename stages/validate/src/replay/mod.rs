//! Mode `replay`: a recorded run on the simulator, from every source of step times that there is.

mod params;
mod stage;

pub(crate) use params::Params;
pub(crate) use stage::ReplayStage;
