use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::include::Files;
use super::layers::{Layers, Spot};
use super::load::{LoadOptions, Reading};
use super::overrides::Outside;
use super::plan::{CachePolicy, Plan, PlannedStage};
use super::settings::Settings;
use super::spans::Part;
use super::trace::Trace;
use super::trail::keys;
use crate::Registry;
use crate::diagnostic::Diagnostics;

/// A value of a pipeline, after all layers and references, and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedValue {
    /// Keys that lead to it, such as `stages.search[sampler=tpe].with.budget`.
    pub path: String,
    /// The value; tables are listed entry by entry, lists as a whole.
    pub value: Value,
    /// Where it was written.
    pub origin: Origin,
}

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file; behind a reference, where the referenced value stands.
    File {
        /// File.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// Profile whose section it stands in.
        profile: Option<String>,
    },
    /// A variable of the environment.
    Environment(String),
    /// An argument of `--set`.
    Set(String),
    /// Nowhere: the engine's or the kind's default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File {
                path,
                line,
                column,
                profile,
            } => {
                write!(f, "{}:{line}:{column}", path.display())?;
                match profile {
                    Some(profile) => write!(f, " (profile {profile})"),
                    None => Ok(()),
                }
            }
            Self::Environment(name) => f.write_str(name),
            Self::Set(argument) => write!(f, "--set {argument}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// All values of a pipeline with their origins, in the order of the plan.
///
/// # Errors
/// With everything that is wrong, as [`super::load`].
pub fn resolved(
    options: &LoadOptions,
    registry: Registry,
) -> Result<Vec<ResolvedValue>, Diagnostics> {
    let mut problems = Vec::new();
    let files = Files::read(&options.path, &mut problems);
    let layers = Layers::build(files, options, &mut problems);
    let reading = Reading::of(&layers, options, registry);
    problems.extend(reading.problems);
    if !problems.is_empty() {
        return Err(Diagnostics::sorted(problems));
    }
    let mut list = List {
        layers: &layers,
        values: Vec::new(),
    };
    list.pipeline(&reading.plan, &reading.params);
    Ok(list.values)
}

struct List<'a> {
    layers: &'a Layers,
    values: Vec<ResolvedValue>,
}

impl List<'_> {
    fn pipeline(&mut self, plan: &Plan, params: &Value) {
        for (key, value) in [("name", &plan.name), ("description", &plan.description)] {
            let origin = self.origin(&keys([key]));
            self.push(key.to_owned(), json!(value), origin);
        }
        for (path, value) in leaves(params) {
            let path = [keys(["params"]), path].concat();
            let trace = Trace {
                layers: self.layers,
                stage: "",
                axes: None,
            };
            let origin = self.origin(&trace.origin(&path));
            self.push(path.join("."), value.clone(), origin);
        }
        for stage in &plan.stages {
            self.stage(plan, stage);
        }
    }

    fn stage(&mut self, plan: &Plan, stage: &PlannedStage) {
        self.setting(stage, "uses", json!(stage.kind.name()));
        for (name, wires) in &stage.inputs {
            let wires = wires.iter();
            let wires = wires.map(|w| format!("{}.{}", plan.stages[w.stage].id, w.output));
            let origin = self.origin(&keys(["stages", &stage.name, "inputs", name]));
            let path = format!("stages.{}.inputs.{name}", stage.id);
            self.push(path, wires.collect(), origin);
        }
        for key in Settings::KEYS {
            // A stage without a condition may still be left out, for what it needs.
            let written = self.layers.find(&keys(["stages", &stage.name, key]));
            if key != "when" || written.is_some() {
                self.setting(stage, key, setting(stage, key));
            }
        }
        self.params(stage);
    }

    fn setting(&mut self, stage: &PlannedStage, key: &str, value: Value) {
        let origin = self.origin(&self.traced(stage, &[key.to_owned()]));
        self.push(format!("stages.{}.{key}", stage.id), value, origin);
    }

    /// What is written under `with`, and what the kind adds to it.
    fn params(&mut self, stage: &PlannedStage) {
        let mut written = BTreeSet::new();
        let with = keys(["with"]);
        let entries = leaves(&stage.with).into_iter();
        for (path, value) in entries.filter(|(path, _)| !path.is_empty()) {
            let path = [with.clone(), path].concat();
            let origin = self.origin(&self.traced(stage, &path));
            let shown = format!("stages.{}.{}", stage.id, path.join("."));
            written.insert(shown.clone());
            self.push(shown, value.clone(), origin);
        }
        let defaults = stage.stage.key_params();
        for (path, value) in leaves(&defaults) {
            let shown = format!("stages.{}.with.{}", stage.id, path.join("."));
            if !written.contains(&shown) && pointed(&stage.with, &path).is_none() {
                self.push(shown, value.clone(), Origin::Default);
            }
        }
    }

    fn traced(&self, stage: &PlannedStage, path: &[String]) -> Vec<String> {
        let trace = Trace {
            layers: self.layers,
            stage: &stage.name,
            axes: Some(&stage.axes),
        };
        trace.origin(&[&keys(["stages", &stage.name]), path].concat())
    }

    fn origin(&self, path: &[String]) -> Origin {
        if self.layers.find(path).is_none() {
            return Origin::Default;
        }
        match self.layers.spot(path, Part::Value) {
            Spot::File { place, in_profile } => {
                let (line, column) = place.source.position(place.span.start);
                Origin::File {
                    path: place.source.path.clone(),
                    line,
                    column,
                    profile: self.layers.profile.clone().filter(|_| in_profile),
                }
            }
            Spot::Outside(Outside::Environment(name)) => Origin::Environment(name),
            Spot::Outside(Outside::Set(argument)) => Origin::Set(argument),
            Spot::Nowhere => Origin::Default,
        }
    }

    fn push(&mut self, path: String, value: Value, origin: Origin) {
        self.values.push(ResolvedValue {
            path,
            value,
            origin,
        });
    }
}

fn setting(stage: &PlannedStage, key: &str) -> Value {
    let seconds = |time: Duration| json!(format!("{}s", time.as_secs_f64()));
    match key {
        "timeout" => stage.timeout.map_or(Value::Null, seconds),
        "retries" => json!(stage.retries),
        "cache" => match stage.cache {
            CachePolicy::Use => json!("use"),
            CachePolicy::Off => json!("off"),
            CachePolicy::MaxAge(age) => json!({ "max_age": seconds(age) }),
        },
        _ => json!(stage.enabled),
    }
}

/// Everything in a table, however deep, that is no table.
fn leaves(value: &Value) -> Vec<(Vec<String>, &Value)> {
    let Some(map) = value.as_object().filter(|map| !map.is_empty()) else {
        return vec![(Vec::new(), value)];
    };
    let mut found = Vec::new();
    for (key, value) in map {
        for (mut path, leaf) in leaves(value) {
            path.insert(0, key.clone());
            found.push((path, leaf));
        }
    }
    found
}

fn pointed<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |at, key| at.get(key))
}
