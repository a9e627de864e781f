use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the recommendation must keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Limits by metric of table `stability`.
    pub(crate) limits: BTreeMap<String, Limits>,
}

/// Limits on one metric; all that are set must be kept. The relative ones are against the
/// baseline, paired by seed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Greatest relative increase: 0.10 is 10 %.
    pub(crate) max_increase: Option<f64>,
    /// Greatest relative decrease.
    pub(crate) max_decrease: Option<f64>,
    /// Least share of the baseline's value.
    pub(crate) min_ratio: Option<f64>,
    /// Greatest value.
    pub(crate) max: Option<f64>,
    /// Least value.
    pub(crate) min: Option<f64>,
}
