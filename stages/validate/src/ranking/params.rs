use std::collections::BTreeMap;

use sbt_engine::ParamError;
use sbt_trials::{Backend, Config, Knob, Protocol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A comparison of the simulator with a real server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The simulator.
    pub(crate) simulated: Backend,
    /// The real server.
    pub(crate) measured: Backend,
    /// How every trial is run and judged, on both sides.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// Draws of the workload to serve.
    #[serde(default = "first_draw")]
    pub(crate) draws: Vec<u64>,
    /// Configurations to compare, in the order of the input: the baseline first, then the
    /// recommended.
    #[serde(default = "default_most")]
    pub(crate) most: u64,
    /// Metric of table `trials` by which the configurations are ranked; less is better.
    #[serde(default = "default_rank_by")]
    pub(crate) rank_by: String,
    /// How a side's knobs are called where the input has other names, by the input's names.
    #[serde(default)]
    pub(crate) rename: BTreeMap<String, String>,
    /// Knobs that every simulated configuration has besides.
    #[serde(default)]
    pub(crate) simulated_knobs: BTreeMap<String, Knob>,
}

fn first_draw() -> Vec<u64> {
    vec![0]
}

fn default_most() -> u64 {
    4
}

fn default_rank_by() -> String {
    "e2e_p50_s".to_owned()
}

impl Params {
    pub(crate) fn problems(&self) -> Vec<ParamError> {
        let mut problems = self.simulated.problems(&["simulated"]);
        problems.extend(self.measured.problems(&["measured"]));
        if self.simulated.is_real() {
            let wrong = "expected the simulator: `kind = \"simulator\"`";
            problems.push(ParamError::at(&["simulated"], wrong));
        }
        if !self.measured.is_real() {
            let wrong = "expected a real server: `kind = \"server\"` or `\"endpoint\"`";
            problems.push(ParamError::at(&["measured"], wrong));
        }
        if self.draws.is_empty() {
            problems.push(ParamError::at(&["draws"], "is empty"));
        }
        if self.most == 0 {
            problems.push(ParamError::at(&["most"], "expected 1 or more"));
        }
        problems
    }

    /// A configuration under the names of one side, without what that side does not know.
    pub(crate) fn for_side(&self, side: &Backend, config: &Config) -> Config {
        let mut config = side.adopt(config, &self.rename);
        if !side.is_real() {
            config.knobs.extend(self.simulated_knobs.clone());
        }
        config
    }
}
