use sbt_engine::{Diagnostics, LoadOptions, Plan, load, shell_line};
use sbt_stages::KINDS;

use crate::arguments::PipelineArgs;
use crate::environment::Environment;
use crate::failure::Failure;

/// Reads a pipeline as the arguments ask, or shows everything that is wrong with it.
pub(crate) fn plan(arguments: &PipelineArgs, environment: &Environment) -> Result<Plan, Failure> {
    load(&options(arguments, environment), KINDS)
        .map_err(|diagnostics| refused(arguments, &diagnostics, environment))
}

pub(crate) fn options(arguments: &PipelineArgs, environment: &Environment) -> LoadOptions {
    LoadOptions {
        path: arguments.pipeline.clone(),
        sets: arguments.sets.clone(),
        profile: arguments.profile.clone(),
        env: environment.variables.clone(),
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
