use std::collections::BTreeMap;

use sbt_engine::ParamError;
use sbt_simulator::{Gpu, Model};
use sbt_trials::{CatalogueEntry, Config, SimulatorBackend};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recorded::RecordedParams;

/// A calibration of the simulator on a real run: a recorded one, or table `requests` of a trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Folder of a recorded run, with `meta.json`, `config.json` and `requests.jsonl`. Empty: the
    /// input `requests`, which then needs `backend` and `config`.
    #[serde(default)]
    pub(crate) run: String,
    /// Requests to calibrate on: the first ones. 0 calibrates nothing.
    #[serde(default = "thirty")]
    pub(crate) first: u64,
    /// Model instead of the one that the run names; empty for that one.
    #[serde(default)]
    pub(crate) model: Option<CatalogueEntry<Model>>,
    /// GPU instead of the one that the run names; empty for that one.
    #[serde(default)]
    pub(crate) gpu: Option<CatalogueEntry<Gpu>>,
    /// The simulator that is to stand for the server of `requests`.
    #[serde(default)]
    pub(crate) backend: Option<SimulatorBackend>,
    /// Configuration of that server; `num_gpu_blocks_override` is the KV blocks that it told.
    #[serde(default)]
    pub(crate) config: Option<Config>,
    /// Draw of the workload that `requests` served.
    #[serde(default)]
    pub(crate) draw: u64,
}

fn thirty() -> u64 {
    30
}

impl Params {
    pub(crate) fn recorded(&self) -> RecordedParams<'_> {
        RecordedParams {
            run: &self.run,
            model: self.model.as_ref(),
            gpu: self.gpu.as_ref(),
        }
    }

    /// The server's configuration; its defaults when left out.
    pub(crate) fn config(&self) -> Config {
        self.config.clone().unwrap_or_else(|| Config {
            name: "default".to_owned(),
            knobs: BTreeMap::new(),
        })
    }

    pub(crate) fn problems(&self) -> Vec<ParamError> {
        let mut problems = self.recorded().problems();
        match (self.run.is_empty(), &self.backend) {
            (true, None) => problems.push(ParamError::at(
                &["run"],
                "is empty: give the folder of a run, or `backend` and `config` for the input `requests`",
            )),
            (false, Some(_)) => problems.push(ParamError::at(
                &["backend"],
                "cannot be combined with `run`, which names its own hardware",
            )),
            (true, Some(backend)) => {
                if !backend.kernels.is_empty() {
                    problems.push(ParamError::at(
                        &["backend", "kernels"],
                        "cannot be calibrated: the coefficients are those of the data sheet; leave it out",
                    ));
                }
                let config = self.config();
                if let Err(problem) = backend.machine(&config) {
                    problems.push(ParamError::at(&["backend"], problem));
                }
            }
            (false, None) => {}
        }
        problems
    }
}
