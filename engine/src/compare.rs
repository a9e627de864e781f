//! How two runs differ.

use serde::Serialize;
use serde_json::Value;

use crate::key::differences;
use crate::{Difference, RunLog, StageEntry, Store, StoredOutput};

/// How two runs differ in one stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageDifference {
    /// Stage instance.
    pub stage: String,
    /// What differs: `only before`, `only after`, or `key`.
    pub what: String,
    /// The components of the key that differ.
    pub components: Vec<Difference>,
}

/// A file among the results of a run, such as `summary.json`; none when no stage of it left one that
/// is still in the store.
#[must_use]
pub fn result_file(log: &RunLog, store: &Store, run: &str, path: &str) -> Option<Vec<u8>> {
    log.stages(run).into_iter().find_map(|entry| {
        let manifest = store.manifest(&entry.key?.parse().ok()?).ok()?;
        let mut folders = manifest.outputs.values().filter_map(|output| match output {
            StoredOutput::Folder { files } => files.get(path),
            StoredOutput::Table { .. } | StoredOutput::File { .. } => None,
        });
        store.get(folders.next()?).ok()
    })
}

/// How two runs differ, stage by stage; equal stages are left out.
#[must_use]
pub fn compare_runs(
    log: &RunLog,
    store: &Store,
    before: &str,
    after: &str,
) -> Vec<StageDifference> {
    let (before, after) = (log.stages(before), log.stages(after));
    let mut names: Vec<&str> = before
        .iter()
        .chain(&after)
        .map(|s| s.stage.as_str())
        .collect();
    names.dedup();
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let find = |stages: &'_ [StageEntry], name: &str| {
        stages
            .iter()
            .find(|s| s.stage == name)
            .and_then(|s| s.key.clone())
    };
    let components =
        |key: &str| -> Option<Value> { Some(store.manifest(&key.parse().ok()?).ok()?.components) };
    let differences = names.into_iter().filter_map(|name| {
        let difference = |what: &str, components| StageDifference {
            stage: name.to_owned(),
            what: what.to_owned(),
            components,
        };
        match (find(&before, name), find(&after, name)) {
            (None, None) => None,
            (Some(_), None) => Some(difference("only before", Vec::new())),
            (None, Some(_)) => Some(difference("only after", Vec::new())),
            (Some(a), Some(b)) if a == b => None,
            (Some(a), Some(b)) => {
                let parts = match (components(&a), components(&b)) {
                    (Some(a), Some(b)) => differences(&a, &b),
                    _ => Vec::new(),
                };
                Some(difference("key", parts))
            }
        }
    });
    differences.collect()
}
