use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A program to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The program and its arguments, as words; no shell is involved.
    pub(crate) run: Vec<String>,
    /// Files that it writes, by output name; one that ends in `.parquet` is a table.
    pub(crate) outputs: BTreeMap<String, String>,
    /// Variables of the environment that it gets and that its result depends on.
    #[serde(default)]
    pub(crate) env: Vec<String>,
    /// Variables that it gets and that leave its result alone, such as a token.
    #[serde(default)]
    pub(crate) pass_env: Vec<String>,
}
