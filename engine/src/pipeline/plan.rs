use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::{Stage, StageKind};

/// What a pipeline file means: every reference resolved, every matrix unfolded, every wire
/// checked. Nothing here is optional that a run needs.
pub struct Plan {
    /// Name of the pipeline.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The pipeline file.
    pub path: PathBuf,
    /// Stage instances, each after everything that it reads.
    pub stages: Vec<PlannedStage>,
}

/// One stage instance.
pub struct PlannedStage {
    /// `search`, or `search[sampler=nsga2]` for an instance of a matrix.
    pub id: String,
    /// Name of the stage in the file, without axes.
    pub name: String,
    /// Its kind.
    pub kind: &'static dyn StageKind,
    /// Values of its matrix axes.
    pub axes: BTreeMap<String, Value>,
    /// `with`, every reference resolved.
    pub with: Value,
    /// The stage itself, planned from `with`.
    pub stage: Box<dyn Stage>,
    /// Where its inputs come from, by input name. More than one wire: the tables are
    /// concatenated in this order, with the axes of their stages as columns. A stage that goes on
    /// without some of its sources has no wires to those that are left out.
    pub inputs: BTreeMap<String, Vec<Wire>>,
    /// Files that parameters name, by [`crate::FileParam::name`], and those of `${file:…}`, as
    /// `file:1`, `file:2` in the order of their use; absolute paths that exist.
    pub files: BTreeMap<String, PathBuf>,
    /// Variables of the environment that enter the key: those of [`Stage::env`] and every
    /// `${env.X}`; null when not set.
    pub env: BTreeMap<String, Option<String>>,
    /// Variables that the stage gets beside these: those of [`Stage::pass_env`].
    pub pass_env: BTreeMap<String, Option<String>>,
    /// Time that one attempt may take.
    pub timeout: Option<Duration>,
    /// Further attempts after a failure.
    pub retries: u32,
    /// Whether a stored result is good enough.
    pub cache: CachePolicy,
    /// False: the stage is left out, by its own `when` or because all sources of a required input
    /// are. Its files may then not exist.
    pub enabled: bool,
}

impl PlannedStage {
    /// [`Stage::key_params`] as they enter the key: a path that came from `${file:…}` is replaced
    /// by its name in [`Self::files`], so that a checkout elsewhere has the same key. The file's
    /// content enters beside it. A stage that rewrites such a path keeps it in its key, which
    /// costs a run and nothing else.
    #[must_use]
    pub fn key_params(&self) -> Value {
        let mut params = self.stage.key_params();
        let files = self.files.iter();
        let referenced = files.filter(|(name, _)| name.starts_with(REFERENCED));
        let mut names: Vec<(&str, &str)> = referenced
            .filter_map(|(name, path)| Some((path.to_str()?, name.as_str())))
            .collect();
        // A path that begins with another one is replaced as a whole.
        names.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        if !names.is_empty() {
            rename(&mut params, &names);
        }
        params
    }
}

/// Leads the names of files that `${file:…}` names.
const REFERENCED: &str = "file:";

/// Names for the files of `${file:…}`, in the order of their use.
pub(crate) fn referenced_files(paths: &[PathBuf]) -> BTreeMap<String, PathBuf> {
    let paths = paths.iter().enumerate();
    let named = paths.map(|(i, path)| (format!("{REFERENCED}{}", i + 1), path.clone()));
    named.collect()
}

fn rename(value: &mut Value, names: &[(&str, &str)]) {
    match value {
        Value::String(text) => {
            for (path, name) in names {
                if text.contains(path) {
                    *text = text.replace(path, name);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        Value::Object(map) => map.values_mut().for_each(|item| rename(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// One output of another stage instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// Index into [`Plan::stages`]; less than the reader's own.
    pub stage: usize,
    /// Output of that stage.
    pub output: String,
}

/// Whether a stored result is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CachePolicy {
    /// Yes.
    Use,
    /// Never: the stage runs each time.
    Off,
    /// When it is not older than this.
    MaxAge(Duration),
}
