use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::simulated::bad_price;
use crate::ServerSpec;

/// A real server that runs already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointBackend {
    /// Base of its OpenAI interface, such as `http://127.0.0.1:8000/v1`.
    pub url: String,
    /// Model as requests name it.
    pub model: String,
    /// What it is: a name of `servers/NAME.toml`, or such a file of your own. The
    /// default knows what every OpenAI-compatible server has.
    #[serde(default = "any_server")]
    pub server: String,
    /// Interface to use.
    #[serde(default)]
    pub api: EndpointApi,
    /// Name of the environment variable that holds the key, empty for none; the key itself is
    /// never stored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api_key_env: String,
    /// Price of what stands behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_hour: Option<f64>,
}

/// Interface of an endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointApi {
    /// The first that answers: chat, else completions.
    #[default]
    Auto,
    /// `/chat/completions`.
    Chat,
    /// `/completions`.
    Completions,
}

fn any_server() -> String {
    "openai".to_owned()
}

impl EndpointBackend {
    /// What is wrong, by key.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let url = if self.url.is_empty() {
            Some(
                "is empty, expected the server's address: --set params.url=http://HOST:PORT/v1"
                    .to_owned(),
            )
        } else {
            sbt_client::Target::parse(&self.url).err()
        };
        let no_model = (self.model.is_empty())
            .then(|| "is empty, expected the model's name: --set params.model=NAME".to_owned());
        [
            ("url", url),
            ("model", no_model),
            ("server", ServerSpec::find(&self.server).err()),
            ("usd_per_hour", bad_price(self.usd_per_hour)),
        ]
        .into_iter()
        .filter_map(|(key, problem)| Some((key, problem?)))
        .collect()
    }

    pub(super) fn words(&self) -> String {
        format!("{} at {}", self.model, self.url)
    }
}
