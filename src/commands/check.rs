use std::io::{self, Write};

use sbt_engine::{load, resolved};
use sbt_stages::KINDS;

use crate::arguments::CheckArgs;
use crate::commands::pipeline;
use crate::environment::Environment;
use crate::failure::{Exit, Failure};

pub(crate) fn check(arguments: &CheckArgs, environment: &Environment) -> Result<(), Failure> {
    let options = pipeline::options(&arguments.pipeline, environment);
    let mut out = io::stdout().lock();
    let refused = |diagnostics: sbt_engine::Diagnostics| {
        if !arguments.json {
            return pipeline::refused(&arguments.pipeline, &diagnostics, environment);
        }
        for diagnostic in &diagnostics.0 {
            // The exit code tells it too, should nobody read.
            let _ = writeln!(io::stdout(), "{}", diagnostic.to_json());
        }
        Failure::new(Exit::Usage, "")
    };
    if arguments.resolved {
        let values = resolved(&options, KINDS).map_err(refused)?;
        for value in values {
            writeln!(out, "{} = {}  # {}", value.path, value.value, value.origin)?;
        }
        return Ok(());
    }
    let plan = load(&options, KINDS).map_err(refused)?;
    if !arguments.json {
        let path = arguments.pipeline.pipeline.display();
        writeln!(out, "{path}: {} stages, no errors", plan.stages.len())?;
    }
    Ok(())
}
