use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sbt_engine::{Diagnostics, LoadOptions, Plan, load, place_run, shell_line};
use sbt_stages::KINDS;

use crate::arguments::PipelineArgs;
use crate::commands::stored::{open_log, open_store};
use crate::environment::Environment;
use crate::failure::Failure;

/// Characters of a run's name that `--set` must give at least: its day and a part of its time.
const SHORTEST_RUN: usize = 10;

/// Reads a pipeline as the arguments ask, or shows everything that is wrong with it.
pub(crate) fn plan(arguments: &PipelineArgs, environment: &Environment) -> Result<Plan, Failure> {
    read(arguments, &options(arguments, environment), environment)
}

/// The same, where a value of `--set` may name a run of the store: its results are a folder then.
pub(crate) fn plan_with_runs(
    arguments: &PipelineArgs,
    store: &Path,
    environment: &Environment,
) -> Result<Plan, Failure> {
    let options = LoadOptions {
        runs: runs(arguments, store)?,
        ..options(arguments, environment)
    };
    read(arguments, &options, environment)
}

fn read(
    arguments: &PipelineArgs,
    options: &LoadOptions,
    environment: &Environment,
) -> Result<Plan, Failure> {
    load(options, KINDS).map_err(|diagnostics| refused(arguments, &diagnostics, environment))
}

/// Results of the runs that the values of `--set` name, placed inside the store.
fn runs(arguments: &PipelineArgs, store: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut folders = BTreeMap::new();
    let values = arguments.sets.iter().filter_map(|set| set.split_once('='));
    let values = values.map(|(_, value)| value.trim_matches(['"', '\'']));
    let mut names = values
        .filter(|value| *value == "last" || value.len() >= SHORTEST_RUN)
        .filter(|value| !Path::new(value).exists())
        .peekable();
    if names.peek().is_none() || !store.is_dir() {
        return Ok(folders);
    }
    let store = open_store(store)?;
    let log = open_log(&store);
    for value in names {
        if let Ok(run) = log.find(value) {
            let folder = store.root().join("runs").join(&run.run).join("results");
            place_run(&log, &run, &store, &folder)?;
            folders.insert(value.to_owned(), folder);
        }
    }
    Ok(folders)
}

pub(crate) fn options(arguments: &PipelineArgs, environment: &Environment) -> LoadOptions {
    LoadOptions {
        path: arguments.pipeline.clone(),
        sets: arguments.sets.clone(),
        profile: arguments.profile.clone(),
        env: environment.variables.clone(),
        ..LoadOptions::default()
    }
}

pub(crate) fn refused(
    arguments: &PipelineArgs,
    diagnostics: &Diagnostics,
    environment: &Environment,
) -> Failure {
    let count = diagnostics.0.len();
    let errors = if count == 1 { "error" } else { "errors" };
    let path = arguments.pipeline.display();
    Failure::shown(diagnostics.render(environment.colour_err))
        .hint(format!("{count} {errors} in {path}; nothing was run"))
}

/// The command line that names the same pipeline with the same overrides.
pub(crate) fn command_line(command: &str, arguments: &PipelineArgs) -> String {
    let pipeline = arguments.pipeline.display().to_string();
    let mut words = vec!["sbt", command, &pipeline];
    for set in &arguments.sets {
        words.extend(["--set", set]);
    }
    if let Some(profile) = &arguments.profile {
        words.extend(["--profile", profile]);
    }
    shell_line(&words)
}
