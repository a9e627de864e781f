use sbt_engine::ParamError;
use sbt_simulator::{Gpu, Model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CatalogueEntry, Config, ServerSpec};

/// What serves the requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Backend {
    /// The embedded simulator: no set-up, virtual time.
    Simulator(SimulatorBackend),
}

/// A simulated server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatorBackend {
    /// Server whose scheduler and knobs are modelled: a name of `servers/NAME.toml`.
    pub server: String,
    /// Model: a name of the simulator's catalogue, or a table of its shape.
    pub model: CatalogueEntry<Model>,
    /// GPU: a name of the simulator's catalogue, or a table of its properties.
    pub gpu: CatalogueEntry<Gpu>,
    /// GPUs of the machine: the most that one configuration may use.
    pub gpus: u64,
    /// Price of one GPU, instead of the catalogue's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_gpu_hour: Option<f64>,
}

impl Backend {
    /// Everything that is wrong with a backend, with `path` leading to it.
    #[must_use]
    pub fn problems(&self, path: &[&str]) -> Vec<ParamError> {
        let Self::Simulator(simulator) = self;
        let mut problems = Vec::new();
        let mut note = |key: &str, error: Option<String>| {
            let at = |message| ParamError::at(&[path, &[key]].concat(), message);
            problems.extend(error.map(at));
        };
        note("server", ServerSpec::named(&simulator.server).err());
        note("model", simulator.model.resolve().err());
        note("gpu", simulator.gpu.resolve().err());
        note(
            "gpus",
            (simulator.gpus == 0).then(|| "expected 1 or more".to_owned()),
        );
        let bad_price = simulator
            .usd_per_gpu_hour
            .filter(|usd| !(*usd >= 0.0 && usd.is_finite()));
        note(
            "usd_per_gpu_hour",
            bad_price.map(|usd| format!("is {usd}, expected 0 or more")),
        );
        problems
    }

    /// Knobs of a configuration that the server does not have, or whose values it does not take,
    /// with `path` leading to the configuration. None when the server itself is not known.
    #[must_use]
    pub fn problems_of_config(&self, config: &Config, path: &[&str]) -> Vec<ParamError> {
        let Ok(server) = self.server() else {
            return Vec::new();
        };
        let wrong = config
            .knobs
            .iter()
            .filter_map(|(name, value)| server.check(name, value).err());
        wrong
            .map(|error| ParamError {
                path: path
                    .iter()
                    .map(|&p| p.to_owned())
                    .chain(error.path)
                    .collect(),
                ..error
            })
            .collect()
    }

    /// The server that runs, or is modelled.
    ///
    /// # Errors
    /// With the nearest name when there is none.
    pub fn server(&self) -> Result<&'static ServerSpec, String> {
        let Self::Simulator(simulator) = self;
        ServerSpec::named(&simulator.server)
    }
}
