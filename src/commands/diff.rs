use std::io::{self, Write};
use std::path::Path;

use sbt_engine::compare_runs;
use serde_json::json;

use crate::arguments::DiffArgs;
use crate::commands::stored::{open_log, open_store};
use crate::failure::Failure;

pub(crate) fn diff(arguments: &DiffArgs, store: &Path) -> Result<(), Failure> {
    let store = open_store(store)?;
    let log = open_log(&store);
    let before = log.find(&arguments.before).map_err(Failure::usage)?;
    let after = log.find(&arguments.after).map_err(Failure::usage)?;
    let differences = compare_runs(&log, &store, &before.run, &after.run);
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{:#}", json!(differences))?;
        return Ok(());
    }
    if differences.is_empty() {
        writeln!(out, "every stage has the same key")?;
    }
    for difference in differences {
        writeln!(out, "{}: {}", difference.stage, difference.what)?;
        for component in difference.components {
            writeln!(out, "    {component}")?;
        }
    }
    Ok(())
}
