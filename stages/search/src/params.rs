use sbt_trials::{Backend, Config, Goals, Protocol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Space;

/// A search for good configurations.
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
    /// Knobs that may be chosen, and their values.
    pub(crate) space: Space,
    /// Who proposes configurations.
    pub(crate) sampler: SamplerKind,
    /// Configurations to evaluate; the same for every sampler, so that they can be compared.
    #[serde(default = "default_budget")]
    pub(crate) budget: u64,
    /// Size of a generation of NSGA-II and NSGA-III, and of a batch of the others.
    #[serde(default = "default_population")]
    pub(crate) population: u64,
    /// Configurations of the sampler `manual`.
    #[serde(default)]
    pub(crate) configs: Vec<Config>,
    /// Seed of the sampler.
    #[serde(default)]
    pub(crate) seed: u64,
    /// Draw of the workload that every candidate serves.
    #[serde(default)]
    pub(crate) draw: u64,
    /// Candidates to recommend for a second measurement.
    #[serde(default = "default_top")]
    pub(crate) top: u64,
}

/// Who proposes configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SamplerKind {
    /// The list in `configs`.
    Manual,
    /// Uniform over the space.
    Random,
    /// Spread evenly over the space: a scrambled Sobol sequence.
    Sobol,
    /// NSGA-II.
    Nsga2,
    /// NSGA-III, for three objectives or more.
    Nsga3,
    /// Tree-structured Parzen estimator, for budgets of some hundred at most.
    Tpe,
}

impl SamplerKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Random => "random",
            Self::Sobol => "sobol",
            Self::Nsga2 => "nsga2",
            Self::Nsga3 => "nsga3",
            Self::Tpe => "tpe",
        }
    }
}

fn default_budget() -> u64 {
    100
}

fn default_population() -> u64 {
    20
}

fn default_top() -> u64 {
    5
}
