use std::collections::BTreeMap;

use sbt_engine::ParamError;
use sbt_trials::{Backend, Config, Goals, Knob, Protocol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Space;
use crate::race::BATCHES;

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
    /// When to end before the budget is used up.
    #[serde(default, skip_serializing_if = "Stop::is_never")]
    pub(crate) stop: Stop,
    /// Trials that grow: what is clearly worse or infeasible is aborted early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) race: Option<RaceParams>,
    /// Trials in a row that end with a failure of the server, after which the search fails with
    /// what they said; 0: never. 5 on a real server, never on a simulated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stop_after_failures: Option<u64>,
    /// What the sampler `transfer` knows beforehand. On a real server, whoever proposes, a
    /// configuration is not launched that does not come up in this simulator.
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

/// Ends of a search besides its budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Stop {
    /// Share of the hypervolume found that the best candidate must promise, for the sampler
    /// `transfer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) improvement_below: Option<f64>,
    /// Seconds that the trials may take together; of simulated ones the simulated seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wall_s: Option<f64>,
    /// What the trials may cost together, at the server's price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usd: Option<f64>,
}

impl Stop {
    fn is_never(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn problems(&self) -> Vec<ParamError> {
        let limits = [
            ("improvement_below", self.improvement_below),
            ("wall_s", self.wall_s),
            ("usd", self.usd),
        ];
        let wrong = limits
            .into_iter()
            .filter(|(_, limit)| limit.is_some_and(|l| l.is_nan() || l <= 0.0));
        let wrong = wrong.map(|(name, _)| ParamError::at(&["stop", name], "expected more than 0"));
        wrong.collect()
    }
}

/// Every configuration first serves the first requests of the draw. It goes on unless it is worse
/// with 95 % confidence in every objective than another one on the same requests, or breaks a
/// constraint with 95 % confidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RaceParams {
    /// Sizes of the trials in requests, the warm-up included, rising; those as large as the draw are
    /// the whole draw, which what is left serves at last in any case.
    pub(crate) requests: Vec<u64>,
}

impl RaceParams {
    pub(crate) fn problems(&self, protocol: &Protocol) -> Vec<ParamError> {
        let path = ["race", "requests"];
        let least = protocol.warmup_requests + BATCHES as u64;
        let rising = self.requests.windows(2).all(|pair| pair[0] < pair[1]);
        match self.requests.first() {
            None => vec![ParamError::at(&path, "expected at least one size")],
            Some(first) if *first < least => vec![ParamError::at(
                &path,
                format!(
                    "begins with {first}, expected {least} at least: the warm-up and {BATCHES}"
                ),
            )],
            Some(_) if !rising => vec![ParamError::at(&path, "expected rising sizes")],
            Some(_) => Vec::new(),
        }
    }
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
