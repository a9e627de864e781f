use sbt_trials::{Backend, Goals, Protocol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A second measurement of the best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// What serves the requests.
    pub(crate) backend: Backend,
    /// How every trial is run and judged.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// What the decision wants.
    pub(crate) goals: Goals,
    /// Draws of the workload to measure on; none of them may have been served by the search.
    pub(crate) draws: Vec<u64>,
    /// Recommendations of each sampler that are measured again.
    #[serde(default = "default_finalists")]
    pub(crate) finalists: u64,
    /// Configurations to recommend at the end.
    #[serde(default = "default_top")]
    pub(crate) top: u64,
}

fn default_finalists() -> u64 {
    3
}

fn default_top() -> u64 {
    3
}
