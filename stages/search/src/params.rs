use std::collections::BTreeMap;

use sbt_engine::ParamError;
use sbt_trials::{Backend, Config, Goals, Knob, Protocol};
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
    /// Configurations that are asked for at once, as many as there are servers to try them on;
    /// 1 for the samplers `tpe` and `transfer`, else `population`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) batch: Option<u64>,
    /// What the sampler `transfer` knows beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transfer: Option<TransferParams>,
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

/// A simulator that stands for the server, and how the server's knobs are called there. Knobs that
/// it does not know are features of the correction only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferParams {
    /// The simulator; its step times are those of the input `calibration`, where that is wired.
    pub(crate) simulated: Backend,
    /// Names of its knobs where the space has other names, by the space's names.
    #[serde(default)]
    pub(crate) rename: BTreeMap<String, String>,
    /// Knobs that every simulated configuration has besides.
    #[serde(default)]
    pub(crate) simulated_knobs: BTreeMap<String, Knob>,
    /// Configurations to simulate before the first trial.
    #[serde(default = "default_simulations")]
    pub(crate) simulations: u64,
}

impl TransferParams {
    pub(crate) fn problems(&self) -> Vec<ParamError> {
        let mut problems = self.simulated.problems(&["transfer", "simulated"]);
        if self.simulated.is_real() {
            let wrong = "expected the simulator: `kind = \"simulator\"`";
            problems.push(ParamError::at(&["transfer", "simulated"], wrong));
        }
        if self.simulations == 0 {
            let path = ["transfer", "simulations"];
            problems.push(ParamError::at(&path, "must be at least 1"));
        }
        problems
    }
}

fn default_simulations() -> u64 {
    1500
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
    /// Asks the simulator of `transfer` first, and corrects it by what was measured.
    Transfer,
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
            Self::Transfer => "transfer",
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
