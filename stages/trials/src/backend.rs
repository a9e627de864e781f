use sbt_engine::ParamError;
use sbt_simulator::{Gpu, Model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::simulated::engine_config;
use crate::{CatalogueEntry, Config, Knob, ServerSpec};

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

impl SimulatorBackend {
    fn problem_of_server(&self) -> Option<String> {
        match ServerSpec::named(&self.server) {
            Ok(server) if server.simulated => None,
            Ok(server) => Some(format!("the simulator does not model {}", server.name)),
            Err(unknown) => Some(unknown),
        }
    }
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
        note("server", simulator.problem_of_server());
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

    /// Checks the name and the value of one knob: whether the server has it and takes it, and
    /// whether the simulator models it.
    ///
    /// # Errors
    /// At the knob's name. An unknown server is an error of the backend, not of its knobs.
    pub fn check(&self, name: &str, value: &Knob) -> Result<(), ParamError> {
        let Ok(server) = self.server() else {
            return Ok(());
        };
        server.check(name, value)?;
        let alone = Config {
            name: String::new(),
            knobs: [(name.to_owned(), value.clone())].into(),
        };
        match engine_config(&server.effective(&alone)) {
            Ok(_) => Ok(()),
            Err(message) => Err(ParamError::at(&[name], message)),
        }
    }

    /// Everything that is wrong with the knobs of a configuration, with `path` leading to it.
    #[must_use]
    pub fn problems_of_config(&self, config: &Config, path: &[&str]) -> Vec<ParamError> {
        let knobs = config.knobs.iter();
        let wrong = knobs.filter_map(|(name, value)| self.check(name, value).err());
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Backend;
    use crate::ServerSpec;

    fn backend(model: Value) -> Result<Backend, serde_json::Error> {
        serde_json::from_value(json!({
            "kind": "simulator", "server": "vllm", "model": model, "gpu": "h100-sxm", "gpus": 1,
        }))
    }

    #[test]
    fn model_may_be_described_in_place() {
        let Backend::Simulator(named) = backend(json!("llama-3.1-8b")).unwrap();
        let described = serde_json::to_value(named.model.resolve().unwrap()).unwrap();
        let custom = backend(described.clone()).unwrap();
        assert_eq!(serde_json::to_value(&custom).unwrap()["model"], described);
        assert!(custom.problems(&[]).is_empty());
        let mut wrong = described;
        wrong["layerz"] = json!(3);
        let error = backend(wrong).unwrap_err().to_string();
        assert!(error.contains("unknown field `layerz`"), "{error}");
    }

    #[test]
    fn unknown_names_and_empty_machines_are_problems_with_their_path() {
        let wrong = json!({
            "kind": "simulator", "server": "vlm", "model": "llama-3.1-8", "gpu": "h100", "gpus": 0,
            "usd_per_gpu_hour": -1,
        });
        let wrong: Backend = serde_json::from_value(wrong).unwrap();
        let problems = wrong.problems(&["backend"]);
        let paths: Vec<String> = problems.iter().map(|p| p.path.join(".")).collect();
        let keys = ["server", "model", "gpu", "gpus", "usd_per_gpu_hour"];
        assert_eq!(paths, keys.map(|key| format!("backend.{key}")));
        assert!(problems[1].message.contains("did you mean `llama-3.1-8b`?"));
    }

    #[test]
    fn server_that_the_simulator_does_not_model_is_a_problem() {
        let mut backend = backend(json!("llama-3.1-8b")).unwrap();
        let Backend::Simulator(simulator) = &mut backend;
        simulator.server = "llamacpp".to_owned();
        let problems = backend.problems(&[]);
        assert_eq!(problems[0].message, "the simulator does not model llamacpp");
    }

    #[test]
    fn every_default_of_the_simulated_server_is_modelled() {
        let backend = backend(json!("llama-3.1-8b")).unwrap();
        let not_modelled = [
            "dtype",
            "optimization_level",
            "performance_mode",
            "prefill_schedule_interval",
            "scheduling_policy",
            "stream_interval",
        ];
        for (name, knob) in &ServerSpec::named("vllm").unwrap().knobs {
            if let Some(value) = &knob.default {
                let modelled = backend.check(name, value).is_ok();
                assert_eq!(modelled, !not_modelled.contains(&name.as_str()), "{name}");
            }
        }
    }
}
