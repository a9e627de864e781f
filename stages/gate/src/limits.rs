use std::collections::BTreeMap;

use sbt_engine::ParamError;
use sbt_schemas::{Row, TrialRow};
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

/// What is wrong with limits by metric, found under `limits`.
pub(crate) fn problems(limits: &BTreeMap<String, Limits>) -> Vec<ParamError> {
    let mut errors = Vec::new();
    for (metric, limits) in limits {
        if metric != "quality" && TrialRow::TABLE.column(metric).is_none() {
            errors.push(unknown(metric));
        }
        if *limits == Limits::default() {
            errors.push(ParamError::at(&["limits", metric], "sets no limit"));
        }
    }
    errors
}

fn unknown(metric: &str) -> ParamError {
    let names = TrialRow::TABLE.columns.iter().map(|column| column.name);
    let error = ParamError::at(
        &["limits", metric],
        format!("no metric is named `{metric}`"),
    );
    match sbt_engine::nearest_name(metric, names) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}
