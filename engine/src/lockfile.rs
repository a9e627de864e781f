//! `PIPELINE.lock`: the keys and digests that a result was agreed on.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::key::differences;
use crate::{Digest, Forecast, Plan, RunError, RunReport, Store, StoreError};

/// A lock file: stages by their name, one line each, sorted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    stages: BTreeMap<String, Locked>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Locked {
    key: Digest,
    /// Digests of the outputs; empty for measurements, which differ every time.
    outputs: BTreeMap<String, Digest>,
}

/// The lock file beside a pipeline.
#[must_use]
pub fn lock_path(pipeline: &Path) -> PathBuf {
    pipeline.with_extension("lock")
}

fn lock_of(plan: &Plan, report: &RunReport) -> Lock {
    let stages = plan
        .stages
        .iter()
        .zip(&report.stages)
        .filter_map(|(planned, stage)| {
            let manifest = stage.manifest()?;
            let outputs = if planned.stage.measured() {
                BTreeMap::new()
            } else {
                let outputs = manifest.outputs.iter();
                outputs
                    .map(|(name, output)| (name.clone(), output.digest()))
                    .collect()
            };
            let locked = Locked {
                key: manifest.key,
                outputs,
            };
            Some((stage.id.clone(), locked))
        });
    Lock {
        stages: stages.collect(),
    }
}

/// Writes the lock file of a run.
///
/// # Errors
/// When it cannot be written.
pub fn write_lock(plan: &Plan, report: &RunReport) -> Result<PathBuf, RunError> {
    let path = lock_path(&plan.path);
    let mut text =
        "# Written by `sbt run --lock`; checked by `sbt run --locked`.\n[stages]\n".to_owned();
    for (stage, locked) in lock_of(plan, report).stages {
        let outputs: Vec<String> = locked
            .outputs
            .iter()
            .map(|(name, digest)| format!("{name} = \"{digest}\""))
            .collect();
        let stage = toml::Value::String(stage);
        text.push_str(&format!(
            "{stage} = {{ key = \"{}\", outputs = {{ {} }} }}\n",
            locked.key,
            outputs.join(", ")
        ));
    }
    let temporary = path.with_extension(format!("lock.{}", std::process::id()));
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, &path))
        .map_err(StoreError::write(&path))?;
    Ok(path)
}

/// What a run, or a plan that was not run, has to say against a lock file: a line per stage.
///
/// # Errors
/// When there is no lock file, or it is none.
pub fn check_lock(
    plan: &Plan,
    forecasts: &[Forecast],
    report: Option<&RunReport>,
    store: &Store,
) -> Result<Vec<String>, RunError> {
    let path = lock_path(&plan.path);
    let lock = read(&path)?;
    let mut lines = Vec::new();
    for forecast in forecasts {
        let stage = &forecast.stage;
        match (lock.stages.get(stage), forecast.key) {
            (None, _) => lines.push(format!("{stage}: not in {}", path.display())),
            (Some(locked), Some(key)) if locked.key != key => {
                lines.push(format!(
                    "{stage}: {}",
                    changed(store, &locked.key, forecast)
                ));
            }
            (Some(_), _) => {}
        }
    }
    let known = |name: &String| forecasts.iter().any(|forecast| forecast.stage == *name);
    let gone = lock.stages.keys().filter(|name| !known(name));
    lines.extend(gone.map(|name| {
        format!(
            "{name}: in {} and no longer in the pipeline",
            path.display()
        )
    }));
    let now = report
        .map(|report| lock_of(plan, report))
        .unwrap_or_default();
    for (stage, locked) in now.stages {
        let Some(earlier) = lock
            .stages
            .get(&stage)
            .filter(|earlier| earlier.key == locked.key)
        else {
            continue;
        };
        for (output, digest) in &locked.outputs {
            if earlier
                .outputs
                .get(output)
                .is_some_and(|earlier| earlier != digest)
            {
                lines.push(format!(
                    "{stage}: output `{output}` has other bytes under the same key"
                ));
            }
        }
    }
    Ok(lines)
}

fn read(path: &Path) -> Result<Lock, RunError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("there is no {}; `sbt run --lock` writes it", path.display());
            return Err(RunError::User(message));
        }
        Err(source) => {
            return Err(StoreError::Read {
                path: path.to_owned(),
                source,
            }
            .into());
        }
    };
    toml::from_str(&text)
        .map_err(|error| RunError::User(format!("{} is no lock file: {error}", path.display())))
}

/// What changed since a key, as far as the store still knows what it was made of.
fn changed(store: &Store, before: &Digest, forecast: &Forecast) -> String {
    let earlier = store
        .manifest(before)
        .ok()
        .map(|manifest| manifest.components);
    match (earlier, &forecast.components) {
        (Some(before), Some(after)) => {
            let parts = differences(&before, after);
            parts
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        }
        _ => format!("its key is no longer {}", before.short()),
    }
}
