use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Model of the catalogue, or a table of its shape. (name | inline table: see simulator crate)
    pub model: String,
    /// GPU of the catalogue.
    pub gpu: String,
    /// GPUs of the machine: the most that one configuration may use.
    pub gpus: u64,
}
