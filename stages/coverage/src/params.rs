use std::collections::BTreeSet;

use sbt_engine::ParamError;
use sbt_schemas::WorkloadRow;
use sbt_trials::{Backend, Config, Protocol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often intervals hold the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CoverageParams {
    /// What serves the requests: a simulator.
    pub(crate) backend: Backend,
    /// How every trial is run and judged.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// Configuration whose metrics are bounded.
    pub(crate) baseline: Config,
    /// Configuration that is compared with it.
    pub(crate) other: Config,
    /// Offered rates, each as a share of the rate at which the saturated baseline finishes
    /// requests.
    pub(crate) loads: Vec<f64>,
    /// Draws behind one interval over draws, for each such interval.
    #[serde(default = "default_draws")]
    pub(crate) draws: Vec<u64>,
}

fn default_draws() -> Vec<u64> {
    vec![3, 5, 10]
}

impl CoverageParams {
    pub(crate) fn problems(&self) -> Vec<ParamError> {
        let mut errors = of_backend(&self.backend);
        let bad = |load: &&f64| !(**load > 0.0 && **load < 1.0);
        if self.loads.is_empty() || self.loads.iter().any(|load| bad(&load)) {
            let message = "expected at least one load, each above 0 and below 1";
            errors.push(ParamError::at(&["loads"], message));
        }
        if self.draws.iter().any(|draws| *draws < 2) {
            errors.push(ParamError::at(
                &["draws"],
                "an interval needs 2 draws or more",
            ));
        }
        errors
    }
}

/// By how much figures shrink.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShrinkageParams {
    /// What serves the requests: a simulator.
    pub(crate) backend: Backend,
    /// How every trial is run and judged, as in the studies.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// Name of what was searched.
    pub(crate) scenario: String,
    /// Axis of the matrix that has one value for each study.
    #[serde(default = "default_axis")]
    pub(crate) axis: String,
    /// Metrics to compare.
    #[serde(default = "default_metrics")]
    pub(crate) metrics: Vec<String>,
}

fn default_axis() -> String {
    "study".to_owned()
}

fn default_metrics() -> Vec<String> {
    ["ttft_p95_s", "ttft_p99_s", "e2e_p95_s", "e2e_p99_s"]
        .map(str::to_owned)
        .into()
}

/// The backend must be a simulator, and be right.
pub(crate) fn of_backend(backend: &Backend) -> Vec<ParamError> {
    let mut errors = backend.problems(&["backend"]);
    if backend.is_real() {
        let message = "must be a simulator: no server tells its true values";
        errors.push(ParamError::at(&["backend"], message));
    }
    errors
}

/// The draws that a workload has, in order.
pub(crate) fn draws(workload: &[WorkloadRow]) -> Vec<u64> {
    let draws: BTreeSet<u64> = workload.iter().map(|row| row.draw).collect();
    draws.into_iter().collect()
}
