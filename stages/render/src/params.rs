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
    /// What served the requests; a recorded run names its own.
    #[serde(default)]
    pub(crate) backend: Option<Backend>,
    /// How every trial was run and judged; when left out, the report does not say.
    #[serde(default)]
    pub(crate) protocol: Option<Protocol>,
    /// What the decision wanted; nothing for a measurement.
    #[serde(default)]
    pub(crate) goals: Goals,
}

impl Params {
    /// What served the requests, of a decision or a measurement.
    pub(crate) fn backend(&self) -> &Backend {
        let backend = self.backend.as_ref();
        backend.expect("the stage refuses to report a decision or a measurement without one")
    }
}
