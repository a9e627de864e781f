use sbt_trials::{Backend, Goals, Protocol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the report says besides the tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Heading; the pipeline's name when left out.
    #[serde(default)]
    pub(crate) title: Option<String>,
    /// What served the requests.
    pub(crate) backend: Backend,
    /// How every trial was run and judged; when left out, the report does not say.
    #[serde(default)]
    pub(crate) protocol: Option<Protocol>,
    /// What the decision wanted; nothing for a measurement.
    #[serde(default)]
    pub(crate) goals: Goals,
}
