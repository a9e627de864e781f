use std::collections::BTreeMap;

use sbt_engine::ParamError;
use sbt_trials::{Backend, Config, Goals, Protocol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A comparison of samplers on servers whose true optimum is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The server of each scenario, by the values of the searches' axis `scenario`.
    pub(crate) backends: BTreeMap<String, Backend>,
    /// How every trial is run and judged.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// What the searches looked for.
    pub(crate) goals: Goals,
    /// What hypervolumes are measured from.
    pub(crate) baseline: Config,
    /// Draws of the workload whose mean is the truth; none of them may have been served by a search.
    pub(crate) draws: Vec<u64>,
    /// Numbers of evaluations that the page shows; the table has all.
    #[serde(default = "default_shown")]
    pub(crate) shown: Vec<u64>,
}

fn default_shown() -> Vec<u64> {
    vec![5, 12, 20]
}

impl Params {
    pub(crate) fn problems(&self) -> Vec<ParamError> {
        let goals = self.goals.check().into_iter();
        let mut problems: Vec<ParamError> = goals.map(|error| error.under("goals")).collect();
        for (scenario, backend) in &self.backends {
            problems.extend(backend.problems(&["backends", scenario]));
            problems.extend(backend.problems_of_config(&self.baseline, &["baseline"]));
        }
        if self.backends.is_empty() {
            problems.push(ParamError::at(&["backends"], "is empty"));
        }
        if self.draws.is_empty() {
            problems.push(ParamError::at(&["draws"], "is empty"));
        }
        problems
    }
}
