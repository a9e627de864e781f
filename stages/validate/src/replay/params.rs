use sbt_engine::ParamError;
use sbt_simulator::{Gpu, Model};
use sbt_trials::CatalogueEntry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recorded::RecordedParams;

/// A recorded run on the simulator, with step times from the data sheet, from measured kernels and
/// from a calibration, as far as they are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Folder of the run, with `meta.json`, `config.json` and `requests.jsonl`.
    pub(crate) run: String,
    /// Folder of measured kernels, with their CSV files or a folder `tpN` for each
    /// tensor-parallel size; empty for none.
    #[serde(default)]
    pub(crate) kernels: String,
    /// Model instead of the one that the run names; empty for that one.
    #[serde(default)]
    pub(crate) model: Option<CatalogueEntry<Model>>,
    /// GPU instead of the one that the run names; empty for that one.
    #[serde(default)]
    pub(crate) gpu: Option<CatalogueEntry<Gpu>>,
    /// Draws of the calibrated coefficients behind the intervals.
    #[serde(default = "forty")]
    pub(crate) draws: u64,
    /// Seed of these draws.
    #[serde(default)]
    pub(crate) seed: u64,
}

fn forty() -> u64 {
    40
}

impl Params {
    pub(crate) fn recorded(&self) -> RecordedParams<'_> {
        RecordedParams {
            run: &self.run,
            model: self.model.as_ref(),
            gpu: self.gpu.as_ref(),
        }
    }

    pub(crate) fn problems(&self) -> Vec<ParamError> {
        let mut problems = self.recorded().problems();
        if self.run.is_empty() {
            let help = "the folder of a run has `meta.json`, `config.json` and `requests.jsonl`";
            problems.push(ParamError::at(&["run"], "is empty").help(help));
        }
        if self.draws == 0 {
            problems.push(ParamError::at(&["draws"], "expected 1 or more"));
        }
        problems
    }
}
