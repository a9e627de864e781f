use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::simulated::bad_price;
use crate::ServerSpec;

/// A real server, started with the flags under test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchedBackend {
    /// Server: a name of `servers/NAME.toml`, or such a file of your own, as
    /// `"${file:my_server.toml}"`.
    pub server: String,
    /// Model as the server takes it: a path, or a name that it resolves itself.
    pub model: String,
    /// Program to start, instead of the file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Further arguments, the same for every configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Further environment variables of the server.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// GPUs that the server may use; 0 for none.
    #[serde(default)]
    pub gpus: u64,
    /// Price of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_hour: Option<f64>,
    /// Port to listen on; a free one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Time until the server must be ready, instead of the file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_timeout_s: Option<f64>,
}

impl LaunchedBackend {
    /// What is wrong, by key.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let server = match ServerSpec::find(&self.server) {
            Ok(server) if server.launch.is_none() => Some(format!(
                "sbt cannot start {}: use `kind = \"endpoint\"` for a server that runs already",
                server.name
            )),
            Ok(_) => None,
            Err(wrong) => Some(wrong),
        };
        let no_model = self
            .model
            .is_empty()
            .then(|| "is empty, expected a model".to_owned());
        let no_time = self
            .start_timeout_s
            .filter(|s| !(*s > 0.0 && s.is_finite()))
            .map(|s| format!("is {s}, expected more than 0"));
        [
            ("server", server),
            ("model", no_model),
            ("usd_per_hour", bad_price(self.usd_per_hour)),
            ("start_timeout_s", no_time),
        ]
        .into_iter()
        .filter_map(|(key, problem)| Some((key, problem?)))
        .collect()
    }

    /// The model's name without its folder.
    pub(crate) fn model_name(&self) -> &str {
        let trimmed = self.model.trim_end_matches('/');
        trimmed.rsplit('/').next().unwrap_or(trimmed)
    }

    pub(super) fn words(&self) -> String {
        let server = match ServerSpec::find(&self.server) {
            Ok(server) => server.name.clone(),
            Err(_) => self.server.clone(),
        };
        let place = match self.gpus {
            0 => "this machine".to_owned(),
            gpus => format!("up to {gpus} GPUs of this machine"),
        };
        format!("{server} on {place}, {}", self.model_name())
    }
}
