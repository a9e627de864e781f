use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use crate::arguments::ShowArgs;
use crate::commands::stored::{open_log, open_store};
use crate::failure::Failure;
use crate::terminal::grid::grid;

pub(crate) fn show(arguments: &ShowArgs, store: &Path) -> Result<(), Failure> {
    let log = open_log(&open_store(store)?);
    let run = log.find(&arguments.run).map_err(Failure::usage)?;
    let stages = log.stages(&run.run);
    let (ran, known) = log.trials(&run.run);
    let mut out = io::stdout().lock();
    if arguments.json {
        let trials = json!({ "ran": ran, "known": known });
        writeln!(
            out,
            "{:#}",
            json!({ "run": run, "stages": stages, "trials": trials })
        )?;
        return Ok(());
    }
    writeln!(
        out,
        "{}  {}  {}  started {}",
        run.run, run.pipeline, run.outcome, run.started_at
    )?;
    writeln!(out, "trials: {ran} ran, {known} were known\n")?;
    let rows = stages.iter().map(|stage| {
        vec![
            stage.stage.clone(),
            stage.fate.clone(),
            stage.took_s.map_or(String::new(), |s| format!("{s:.2} s")),
            stage
                .key
                .as_ref()
                .map_or(String::new(), |key| key[..12].to_owned()),
            stage.error.clone().unwrap_or_default(),
        ]
    });
    let head = ["stage", "fate", "took", "key", "why"];
    writeln!(out, "{}", grid(&head, rows.collect()))?;
    Ok(())
}
