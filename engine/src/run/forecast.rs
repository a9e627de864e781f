use serde::Serialize;
use serde_json::Value;

use crate::key::key_of;
use crate::run::RunError;
use crate::run::explain::reason;
use crate::run::inputs::components;
use crate::run::lookup::fresh;
use crate::runlog::RunLog;
use crate::{Digest, Manifest, Plan, Store};

/// What would become of a stage if the plan were run now.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// Stage instance.
    pub stage: String,
    /// What would become of it.
    pub fate: Fate,
    /// Why, in a line.
    pub why: String,
    /// Its key; none as long as an input has no result.
    pub key: Option<Digest>,
    /// Its stored result.
    pub manifest: Option<Manifest>,
    pub(crate) components: Option<Value>,
}

/// What would become of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its result is stored.
    Cached,
    /// It would run.
    WouldRun,
    /// It depends on a stage that would run; with the same bytes from there it would not.
    MayRun,
    /// It is switched off.
    Off,
}

/// Forecasts every stage of a plan, in its order. Looks at manifests, not at objects.
///
/// # Errors
/// When a file that a parameter names cannot be read.
pub fn forecast(plan: &Plan, store: &Store, log: &RunLog) -> Result<Vec<Forecast>, RunError> {
    let now = jiff::Timestamp::now();
    let mut forecasts: Vec<Forecast> = Vec::new();
    for stage in &plan.stages {
        let results = |i: usize| forecasts[i].manifest.as_ref();
        let components = components(plan, stage, &results)?;
        let key = components.as_ref().map(key_of);
        let manifest = key
            .and_then(|key| store.manifest(&key).ok())
            .filter(|manifest| fresh(manifest, stage.cache, now));
        let (fate, why) = if !stage.enabled {
            (Fate::Off, "its condition is false".to_owned())
        } else if manifest.is_some() {
            (Fate::Cached, String::new())
        } else if let Some(components) = &components {
            (Fate::WouldRun, reason(store, log, plan, stage, components))
        } else {
            (Fate::MayRun, "depends on a stage that would run".to_owned())
        };
        forecasts.push(Forecast {
            stage: stage.id.clone(),
            fate,
            why,
            key,
            manifest,
            components,
        });
    }
    Ok(forecasts)
}
