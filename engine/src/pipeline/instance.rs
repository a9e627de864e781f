use std::collections::BTreeMap;
use std::path::PathBuf;

use figment::value::{Dict, Value};
use serde_json::Value as Json;

use super::matrix::{Unfolded, instance_id};
use super::resolve::{Axes, PATHS, Resolver, Scope, Uses};
use super::settings::Settings;
use super::spans::Part;
use super::trace::{Trace, find_text};
use super::trail::{Trail, keys};
use crate::diagnostic::Diagnostic;
use crate::params::nearest_name;
use crate::{Input, Output, ParamError, Registry, Stage, StageKind};

/// A stage of the file with the values of its matrix axes.
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) axes: Axes,
    /// What it reads, by input name.
    pub(crate) inputs: Vec<InputDoc>,
    pub(crate) settings: Settings,
    /// None when something about it is wrong.
    pub(crate) ready: Option<Ready>,
}

/// An entry under `inputs`.
pub(crate) struct InputDoc {
    pub(crate) name: String,
    /// Each with the entry that names it.
    pub(crate) sources: Vec<(String, Vec<String>)>,
}

/// A stage whose parameters are right.
pub(crate) struct Ready {
    pub(crate) kind: &'static dyn StageKind,
    pub(crate) with: Json,
    pub(crate) stage: Box<dyn Stage>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) files: BTreeMap<String, PathBuf>,
    pub(crate) uses: Uses,
}

/// Reads one stage of the file into its instances.
pub(crate) fn read_stage(
    name: &str,
    entries: &Dict,
    registry: Registry,
    resolver: &mut Resolver<'_>,
) -> Vec<Instance> {
    if resolver.layers.doubt.stages.contains(name) {
        return vec![broken(name)];
    }
    let Some(unfolded) = Unfolded::read(name, entries, resolver) else {
        return vec![broken(name)];
    };
    let Unfolded { instances, uses } = unfolded;
    let instances = instances.into_iter().map(|axes| {
        let mut scope = Scope::new(Some(&axes));
        scope.uses = uses.clone();
        let reader = Reader {
            name,
            entries,
            registry,
            path: keys(["stages", name]),
        };
        let (inputs, settings, ready) = reader.read(resolver, scope);
        Instance {
            id: instance_id(name, &axes),
            name: name.to_owned(),
            inputs,
            settings,
            ready,
            axes,
        }
    });
    instances.collect()
}

/// Stands for all instances of a stage whose syntax or matrix is wrong, so that others may still
/// name it.
fn broken(name: &str) -> Instance {
    Instance {
        id: name.to_owned(),
        name: name.to_owned(),
        axes: Axes::new(),
        inputs: Vec::new(),
        settings: Settings::default(),
        ready: None,
    }
}

struct Reader<'a> {
    name: &'a str,
    entries: &'a Dict,
    registry: Registry,
    path: Vec<String>,
}

impl Reader<'_> {
    fn read(
        &self,
        resolver: &mut Resolver<'_>,
        mut scope: Scope<'_>,
    ) -> (Vec<InputDoc>, Settings, Option<Ready>) {
        let settings = self.settings(resolver, &mut scope);
        scope.idle = settings.as_ref().is_some_and(|settings| !settings.enabled);
        let inputs = self.inputs(resolver, &mut scope);
        let kind = self.kind(resolver, &mut scope);
        let with = match self.entries.get("with") {
            Some(with) => self.resolve("with", with, resolver, &mut scope),
            None => Some(Json::Object(serde_json::Map::new())),
        };
        let stage = kind.zip(with).and_then(|(kind, with)| {
            let stage = self.plan(kind, &with, resolver, scope.axes)?;
            let files = self.files(&*stage, &with, resolver, &scope)?;
            Some(Ready {
                kind,
                inputs: stage.inputs(),
                outputs: stage.outputs(),
                with,
                stage,
                files,
                uses: scope.uses,
            })
        });
        let ready = stage.filter(|_| settings.is_some() && inputs.is_some());
        (
            inputs.unwrap_or_default(),
            settings.unwrap_or_default(),
            ready,
        )
    }

    fn resolve(
        &self,
        key: &str,
        value: &Value,
        resolver: &mut Resolver<'_>,
        scope: &mut Scope<'_>,
    ) -> Option<Json> {
        resolver.resolve(value, &Trail::Base(&self.path).key(key), scope)
    }

    fn under(&self, key: &str) -> Vec<String> {
        keys(["stages", self.name, key])
    }

    fn settings(&self, resolver: &mut Resolver<'_>, scope: &mut Scope<'_>) -> Option<Settings> {
        let mut settings = Settings::default();
        let mut complete = true;
        for key in Settings::KEYS {
            let Some(value) = self.entries.get(key) else {
                continue;
            };
            let value = self.resolve(key, value, resolver, scope);
            match value.map(|value| settings.set(key, &value)) {
                Some(Ok(())) => {}
                Some(Err(message)) => {
                    complete = false;
                    let message = format!("stage `{}`: {message}", self.name);
                    let problem = Diagnostic::new("sbt::stage::setting", message);
                    resolver
                        .report
                        .at(problem, &self.under(key), Part::Value, "");
                }
                None => complete = false,
            }
        }
        complete.then_some(settings)
    }

    fn inputs(&self, resolver: &mut Resolver<'_>, scope: &mut Scope<'_>) -> Option<Vec<InputDoc>> {
        let Some(written) = self.entries.get("inputs") else {
            return Some(Vec::new());
        };
        let resolved = self.resolve("inputs", written, resolver, scope)?;
        let path = self.under("inputs");
        let Json::Object(map) = resolved else {
            self.wrong_input(&path, "`inputs` must be a table", resolver);
            return None;
        };
        let mut inputs = Vec::with_capacity(map.len());
        let mut complete = true;
        for (name, value) in map {
            let path = keys(["stages", self.name, "inputs", &name]);
            match sources(&value, &path) {
                Some(sources) => inputs.push(InputDoc { name, sources }),
                None => {
                    let what = format!("input `{name}` must be a stage, or a list of stages");
                    self.wrong_input(&path, &what, resolver);
                    complete = false;
                }
            }
        }
        complete.then_some(inputs)
    }

    fn wrong_input(&self, path: &[String], what: &str, resolver: &mut Resolver<'_>) {
        let message = format!("stage `{}`: {what}", self.name);
        let help = "write `inputs = { workload = \"stage\" }` or `\"stage.output\"`";
        let problem = Diagnostic::new("sbt::stage::inputs", message).help(help.to_owned());
        resolver.report.at(problem, path, Part::Value, "");
    }

    fn kind(
        &self,
        resolver: &mut Resolver<'_>,
        scope: &mut Scope<'_>,
    ) -> Option<&'static dyn StageKind> {
        let Some(uses) = self.entries.get("uses") else {
            let message = format!("stage `{}` does not say which kind it uses", self.name);
            let help = "add for example `uses = \"workload\"`".to_owned();
            let problem = Diagnostic::new("sbt::stage::uses", message).help(help);
            resolver.report.at(problem, &self.path, Part::Key, "");
            return None;
        };
        let uses = self.resolve("uses", uses, resolver, scope)?;
        let name = uses.as_str().unwrap_or_default();
        let kind = self.registry.iter().find(|kind| kind.name() == name);
        if kind.is_none() {
            let names: Vec<&str> = self.registry.iter().map(|kind| kind.name()).collect();
            let help = match nearest_name(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the kinds are: {}", names.join(", ")),
            };
            let message = format!("stage `{}`: no kind is named {uses}", self.name);
            let problem = Diagnostic::new("sbt::stage::kind", message).help(help);
            resolver
                .report
                .at(problem, &self.under("uses"), Part::Value, "");
        }
        kind.copied()
    }

    fn plan(
        &self,
        kind: &'static dyn StageKind,
        with: &Json,
        resolver: &mut Resolver<'_>,
        axes: Option<&Axes>,
    ) -> Option<Box<dyn Stage>> {
        let errors = match kind.plan(with) {
            Ok(stage) => return Some(stage),
            Err(errors) => errors,
        };
        for error in errors {
            let ParamError {
                path,
                message,
                help,
            } = error;
            let at = self.origin(&path, resolver, axes);
            // Serde's own words: the key is wrong, not its value, and the message names it.
            let (part, shown) = match path.split_last() {
                Some((_, parents)) if message.starts_with("unknown field") => (Part::Key, parents),
                Some(_) | None => (Part::Value, path.as_slice()),
            };
            let within = match shown.is_empty() {
                true => String::new(),
                false => format!("`{}`: ", shown.join(".")),
            };
            let message = format!("stage `{}`: {within}{message}", self.name);
            let problem = Diagnostic::new("sbt::stage::param", message).help(help);
            resolver.report.at(problem, &at, part, "");
        }
        None
    }

    /// Where a value of `with` was written.
    fn origin(&self, path: &[String], resolver: &Resolver<'_>, axes: Option<&Axes>) -> Vec<String> {
        let trace = Trace {
            layers: resolver.layers,
            stage: self.name,
            axes,
        };
        let mut full = self.under("with");
        full.extend_from_slice(path);
        trace.origin(&full)
    }

    /// The files that the stage names by parameters, and those of `${file:…}`.
    fn files(
        &self,
        stage: &dyn Stage,
        with: &Json,
        resolver: &mut Resolver<'_>,
        scope: &Scope<'_>,
    ) -> Option<BTreeMap<String, PathBuf>> {
        let mut files = super::plan::referenced_files(&scope.uses.files);
        let mut complete = true;
        for file in stage.files() {
            let found = if file.folder {
                resolver.existing_folder(&file.path)
            } else {
                resolver.existing(&file.path)
            };
            if let Some(found) = found {
                files.insert(file.name, found);
                continue;
            }
            if scope.idle {
                continue;
            }
            complete = false;
            let text = file.path.to_string_lossy();
            let path = find_text(with, &text).unwrap_or_default();
            let at = self.origin(&path, resolver, scope.axes);
            let what = if file.folder { "folder" } else { "file" };
            let message = format!("stage `{}`: no {what} `{text}`", self.name);
            let problem = Diagnostic::new("sbt::file::missing", message);
            resolver
                .report
                .at(problem.help(PATHS.to_owned()), &at, Part::Value, "");
        }
        complete.then_some(files)
    }
}

/// `"stage"` or `["stage", "stage.output"]`, each with its place.
fn sources(value: &Json, path: &[String]) -> Option<Vec<(String, Vec<String>)>> {
    match value {
        Json::String(source) => Some(vec![(source.clone(), path.to_vec())]),
        Json::Array(items) => {
            let sources = items.iter().enumerate().map(|(i, item)| {
                let path = [path, &[i.to_string()]].concat();
                Some((item.as_str()?.to_owned(), path))
            });
            sources.collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => None,
    }
}
