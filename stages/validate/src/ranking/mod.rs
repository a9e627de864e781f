//! Mode `ranking`: the same configurations on the simulator and on a real server.

mod compare;
mod params;
mod stage;
mod verdict;

pub(crate) use params::Params;
pub(crate) use stage::RankingStage;
