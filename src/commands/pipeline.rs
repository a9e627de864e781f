use sbt_engine::{LoadOptions, Plan, load};
use sbt_stages::KINDS;

use crate::arguments::PipelineArgs;
use crate::environment::Environment;
use crate::failure::Failure;

/// Reads a pipeline as the arguments ask, or shows everything that is wrong with it.
pub(crate) fn plan(arguments: &PipelineArgs, environment: &Environment) -> Result<Plan, Failure> {
    load(&options(arguments, environment), KINDS).map_err(|diagnostics| {
        let count = diagnostics.len();
        let errors = if count == 1 { "error" } else { "errors" };
        Failure::shown(diagnostics.render(environment.colour_err)).hint(format!(
            "{count} {errors} in {}; nothing was run",
            arguments.pipeline.display()
        ))
    })
}

pub(crate) fn options(arguments: &PipelineArgs, environment: &Environment) -> LoadOptions {
    LoadOptions {
        path: arguments.pipeline.clone(),
        sets: arguments.sets.clone(),
        profile: arguments.profile.clone(),
        env: environment.variables.clone(),
    }
}
