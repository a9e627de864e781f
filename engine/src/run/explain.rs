use serde::Serialize;
use serde_json::Value;

use crate::key::{differences, key_of};
use crate::runlog::RunLog;
use crate::{Difference, Digest, Manifest, Plan, PlannedStage, Store};

/// Components named in a reason before it is cut.
const NAMED: usize = 3;

/// Why a stage has to run, in a line.
pub(crate) fn reason(
    store: &Store,
    log: &RunLog,
    plan: &Plan,
    stage: &PlannedStage,
    components: &Value,
) -> String {
    let Some(earlier) = earlier(store, log, plan, stage, components) else {
        return "no earlier result".to_owned();
    };
    let found = differences(&earlier.components, components);
    if found.is_empty() {
        return "its stored result is gone".to_owned();
    }
    let mut parts: Vec<String> = found.iter().take(NAMED).map(ToString::to_string).collect();
    if found.len() > NAMED {
        parts.push(format!("{} more", found.len() - NAMED));
    }
    parts.join(", ")
}

/// The nearest earlier result of the same stage of the same pipeline.
fn earlier(
    store: &Store,
    log: &RunLog,
    plan: &Plan,
    stage: &PlannedStage,
    components: &Value,
) -> Option<Manifest> {
    let key = key_of(components);
    let last = log.last_key(&plan.name, &stage.id, Some(&key))?;
    store.manifest(&last).ok()
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |value: &Value| match value {
            Value::Null => "nothing".to_owned(),
            Value::String(text) if text.parse::<Digest>().is_ok() => text[..12].to_owned(),
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => value.to_string(),
        };
        write!(
            f,
            "{} {} -> {}",
            self.component,
            show(&self.before),
            show(&self.after)
        )
    }
}

/// Why a stage would run, or that it would not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Stage instance.
    pub stage: String,
    /// Its key; null as long as an input has no result.
    pub key: Option<Digest>,
    /// Whether its result is stored.
    pub cached: bool,
    /// Key that it is compared with: the stage's newest earlier result.
    pub earlier: Option<Digest>,
    /// What differs from the earlier key.
    pub differences: Vec<Difference>,
    /// Inputs without a result, which decide first.
    pub waiting_for: Vec<String>,
}

/// Explains a stage of a plan.
#[must_use]
pub fn explain(
    plan: &Plan,
    forecasts: &[super::Forecast],
    store: &Store,
    log: &RunLog,
    index: usize,
) -> Explanation {
    let stage = &plan.stages[index];
    let forecast = &forecasts[index];
    let waiting = stage
        .inputs
        .values()
        .flatten()
        .filter(|wire| forecasts[wire.stage].manifest.is_none());
    let mut waiting_for: Vec<String> = waiting
        .map(|wire| plan.stages[wire.stage].id.clone())
        .collect();
    waiting_for.sort();
    waiting_for.dedup();
    let earlier = forecast
        .components
        .as_ref()
        .and_then(|c| earlier(store, log, plan, stage, c));
    let differences = match (&earlier, &forecast.components) {
        (Some(earlier), Some(components)) => differences(&earlier.components, components),
        _ => Vec::new(),
    };
    Explanation {
        stage: stage.id.clone(),
        key: forecast.key,
        cached: forecast.manifest.is_some(),
        earlier: earlier.map(|manifest| manifest.key),
        differences,
        waiting_for,
    }
}
