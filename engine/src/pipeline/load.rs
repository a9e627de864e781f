use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::document::Document;
use super::include::Files;
use super::instance::{Instance, read_stage};
use super::layers::Layers;
use super::plan::{Plan, PlannedStage};
use super::resolve::{Resolver, Scope};
use super::trail::{Trail, keys};
use super::wiring::{Wired, Wiring};
use crate::Registry;
use crate::diagnostic::{Diagnostic, Diagnostics};

/// Which pipeline, and what overrides it.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The pipeline file.
    pub path: PathBuf,
    /// Arguments of `--set`, as `params.seed=7`: a TOML value, else a plain string. The last one
    /// wins.
    pub sets: Vec<String>,
    /// Name of the profile to apply.
    pub profile: Option<String>,
    /// The environment; nothing else of it is read.
    pub env: BTreeMap<String, String>,
    /// Folders with the results of earlier runs, by what they are called in the pipeline: they stand
    /// in for folders of these names that do not exist.
    pub runs: BTreeMap<String, PathBuf>,
}

/// Reads a pipeline: layers, references, matrices, wiring. Opens the pipeline's files, and looks
/// whether the files exist that it names.
///
/// # Errors
/// With everything that is wrong, not just the first.
pub fn load(options: &LoadOptions, registry: Registry) -> Result<Plan, Diagnostics> {
    let mut problems = Vec::new();
    let files = Files::read(&options.path, &mut problems);
    let layers = Layers::build(files, options, &mut problems);
    let reading = Reading::of(&layers, options, registry);
    problems.extend(reading.problems);
    if problems.is_empty() {
        Ok(reading.plan)
    } else {
        Err(Diagnostics::sorted(problems))
    }
}

/// A plan as far as it could be made.
pub(crate) struct Reading {
    pub(crate) plan: Plan,
    /// `params`, every reference resolved.
    pub(crate) params: Json,
    pub(crate) problems: Vec<Diagnostic>,
}

impl Reading {
    pub(crate) fn of(layers: &Layers, options: &LoadOptions, registry: Registry) -> Self {
        let folder = options.path.parent().unwrap_or(Path::new(""));
        let mut resolver = Resolver::new(layers, options, folder);
        let document = Document::read(layers, &options.path, &mut resolver.report);
        let mut instances = Vec::with_capacity(document.stages.len());
        for (name, entries) in &document.stages {
            instances.extend(read_stage(name, entries, registry, &mut resolver));
        }
        let params = params(layers, &mut resolver);
        let wired = Wiring::new(&instances, layers).connect(&mut resolver.report);
        Self {
            plan: Plan {
                name: document.name,
                description: document.description,
                path: options.path.clone(),
                stages: assemble(instances, wired, &options.env),
            },
            params,
            problems: resolver.report.problems,
        }
    }
}

/// All parameters: those that nothing uses have errors too.
fn params(layers: &Layers, resolver: &mut Resolver<'_>) -> Json {
    let resolved = layers.root().get("params").and_then(|params| {
        let path = keys(["params"]);
        let mut scope = Scope::new(None);
        scope.idle = true;
        resolver.resolve(params, &Trail::Base(&path), &mut scope)
    });
    resolved.unwrap_or_else(|| Json::Object(serde_json::Map::new()))
}

/// Puts the instances in order; those that could not be read are left out.
fn assemble(
    instances: Vec<Instance>,
    wired: Wired,
    env: &BTreeMap<String, String>,
) -> Vec<PlannedStage> {
    let Wired { order, mut inputs } = wired;
    let mut slots: Vec<Option<Instance>> = instances.into_iter().map(Some).collect();
    let mut positions = vec![None; slots.len()];
    let mut stages: Vec<PlannedStage> = Vec::with_capacity(slots.len());
    for number in order {
        let Some(instance) = slots[number].take() else {
            continue;
        };
        let Some(ready) = instance.ready else {
            continue;
        };
        let mut wires = std::mem::take(&mut inputs[number]);
        for wires in wires.values_mut() {
            wires.retain_mut(|wire| match positions[wire.stage] {
                Some(position) => {
                    wire.stage = position;
                    true
                }
                None => false,
            });
        }
        let mut names = ready.uses.env;
        names.extend(ready.stage.env());
        let passed = ready.stage.pass_env();
        positions[number] = Some(stages.len());
        let mut stage = PlannedStage {
            id: instance.id,
            name: instance.name,
            kind: ready.kind,
            axes: instance.axes,
            with: ready.with,
            stage: ready.stage,
            inputs: wires,
            files: ready.files,
            env: names
                .into_iter()
                .map(|name| (name.clone(), env.get(&name).cloned()))
                .collect(),
            pass_env: passed_on(&passed, env),
            timeout: instance.settings.timeout,
            retries: instance.settings.retries,
            cache: instance.settings.cache,
            enabled: instance.settings.enabled,
        };
        leave_out(&mut stage, &ready.inputs, &stages);
        stages.push(stage);
    }
    stages
}

/// Variables by name; a name that ends with `*` stands for all that begin with it.
fn passed_on(names: &[String], env: &BTreeMap<String, String>) -> BTreeMap<String, Option<String>> {
    let mut passed = BTreeMap::new();
    for name in names {
        match name.strip_suffix('*') {
            None => {
                passed.insert(name.clone(), env.get(name).cloned());
            }
            Some(prefix) => {
                let all = env.iter().filter(|(name, _)| name.starts_with(prefix));
                passed.extend(all.map(|(name, value)| (name.clone(), Some(value.clone()))));
            }
        }
    }
    passed
}

/// A stage that lost all that a required input reads is left out; one that lost less goes on
/// with the rest.
fn leave_out(stage: &mut PlannedStage, inputs: &[crate::Input], before: &[PlannedStage]) {
    let lives = |wires: &[super::Wire]| wires.iter().any(|wire| before[wire.stage].enabled);
    let needed = inputs.iter().filter(|input| !input.optional);
    for input in needed {
        let lost = stage
            .inputs
            .get(&input.name)
            .is_some_and(|wires| !lives(wires));
        stage.enabled &= !lost;
    }
    if !stage.enabled {
        return;
    }
    stage.inputs.retain(|_, wires| {
        wires.retain(|wire| before[wire.stage].enabled);
        !wires.is_empty()
    });
}
