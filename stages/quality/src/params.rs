use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What quality to expect of the variants of a space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Server whose knobs are varied: a name of `servers/NAME.toml`.
    pub(crate) server: String,
    /// The space of the search. Knobs that can change answers are taken from it; they must have a
    /// list of values.
    pub(crate) space: BTreeMap<String, Value>,
    /// What a variant must keep.
    #[serde(default)]
    pub(crate) gates: Gates,
    /// Scores of the reference configuration by task family, 0 to 1, where they were measured.
    /// Without one, only shares of it are known.
    #[serde(default)]
    pub(crate) reference_scores: BTreeMap<String, f64>,
}

/// Limits by task family (`qa`, `structured`, `code`, `summary`, `overall`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gates {
    /// Least share of the reference's score.
    pub(crate) relative: BTreeMap<String, f64>,
    /// Least score.
    pub(crate) absolute: BTreeMap<String, f64>,
}
