use sbt_simulator::{Gpu, Model};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CatalogueEntry, ServerSpec};

/// A simulated server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatorBackend {
    /// Server whose scheduler and knobs are modelled: a name of `servers/NAME.toml`.
    pub server: String,
    /// Version of the server whose scheduler and defaults are followed: one of those that its file
    /// names under `simulated_versions`. Empty: the newest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Model: a name of the simulator's catalogue, a `config.json` of Hugging Face (a path from the
    /// working directory), or a table of its shape.
    pub model: CatalogueEntry<Model>,
    /// GPU: a name of the simulator's catalogue, or a table of its properties.
    pub gpu: CatalogueEntry<Gpu>,
    /// GPUs of the machine: the most that one configuration may use.
    pub gpus: u64,
    /// Folder of kernels measured on the GPU, which the times of steps are then from; empty: the
    /// data sheet. What the files hold is in the key, not where they are.
    #[serde(default, skip_serializing)]
    pub kernels: String,
    /// Probability that a draft of speculative decoding is accepted when those before it were, by
    /// position; the last one holds for all further positions. From a server under this workload:
    /// each count of `vllm:spec_decode_num_accepted_tokens_per_pos_total` over the one before, the
    /// first over the number of drafts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub speculative_acceptance: Vec<f64>,
    /// Price of one GPU, instead of the catalogue's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_gpu_hour: Option<f64>,
}

impl SimulatorBackend {
    /// What is wrong, by key.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let no_gpus = (self.gpus == 0).then(|| "expected 1 or more".to_owned());
        [
            ("server", self.problem_of_server()),
            ("version", self.problem_of_version()),
            ("model", self.model.resolve().err()),
            ("gpu", self.gpu.resolve().err()),
            ("gpus", no_gpus),
            ("speculative_acceptance", self.bad_acceptance()),
            ("usd_per_gpu_hour", bad_price(self.usd_per_gpu_hour)),
        ]
        .into_iter()
        .filter_map(|(key, problem)| Some((key, problem?)))
        .collect()
    }

    fn problem_of_server(&self) -> Option<String> {
        match ServerSpec::named(&self.server) {
            Ok(server) if server.simulated.is_some() => None,
            Ok(server) => Some(format!("the simulator does not model {}", server.name)),
            Err(unknown) => Some(unknown),
        }
    }

    fn problem_of_version(&self) -> Option<String> {
        let known = &ServerSpec::named(&self.server).ok()?.simulated_versions;
        if self.version.is_empty() || known.contains(&self.version) {
            return None;
        }
        let expected = match known.as_slice() {
            [] => "nothing: its versions are not told apart".to_owned(),
            known => known.join(" or "),
        };
        Some(format!(
            "is {}, expected {expected} for {}",
            self.version, self.server
        ))
    }

    fn bad_acceptance(&self) -> Option<String> {
        let mut acceptance = self.speculative_acceptance.iter();
        let bad = acceptance.find(|p| !(0.0..=1.0).contains(*p))?;
        Some(format!("{bad} is not within 0 and 1"))
    }

    pub(super) fn words(&self) -> String {
        let name =
            |named: Option<&String>| named.cloned().unwrap_or_else(|| "a custom one".to_owned());
        let model = match &self.model {
            CatalogueEntry::Named(named) => Some(named),
            CatalogueEntry::Custom(custom) => Some(&custom.name),
        };
        let gpu = match &self.gpu {
            CatalogueEntry::Named(named) => Some(named),
            CatalogueEntry::Custom(custom) => Some(&custom.name),
        };
        format!(
            "{} in the simulator, {} on up to {} x {}",
            self.server,
            name(model),
            self.gpus,
            name(gpu)
        )
    }
}

/// What is wrong with a price.
pub(super) fn bad_price(usd: Option<f64>) -> Option<String> {
    let bad = usd.filter(|usd| !(*usd >= 0.0 && usd.is_finite()))?;
    Some(format!("is {bad}, expected 0 or more"))
}
