use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use crate::arguments::JsonArgs;
use crate::commands::stored::{open_log, open_store};
use crate::failure::Failure;
use crate::terminal::grid::grid;

pub(crate) fn runs(arguments: &JsonArgs, store: &Path) -> Result<(), Failure> {
    let runs = open_log(&open_store(store)?).runs();
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(out, "{:#}", json!(runs))?;
        return Ok(());
    }
    let count = |n: Option<u64>| n.map_or(String::new(), |n| n.to_string());
    let rows = runs.iter().map(|run| {
        vec![
            run.run.clone(),
            run.pipeline.clone(),
            run.outcome.clone(),
            count(run.ran),
            count(run.hits),
            run.took_s.map_or(String::new(), |s| format!("{s:.2} s")),
            run.started_at.clone(),
        ]
    });
    let head = [
        "run", "pipeline", "outcome", "ran", "known", "took", "started",
    ];
    writeln!(out, "{}", grid(&head, rows.collect()))?;
    Ok(())
}
