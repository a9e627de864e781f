//! Tables by name: `PIPELINE:stage.table`, `RUN:stage.table`, or a Parquet file.

use std::path::Path;

use crate::run::{concat, with_axes};
use crate::{RunError, RunLog, Store, StoredOutput, Table, nearest_name};

/// The table that a reference names. Instances of a matrix come as one table.
///
/// # Errors
/// When there is no such run, stage or table; says what there is.
pub fn find_table(reference: &str, store: &Store, log: &RunLog) -> Result<Table, RunError> {
    if reference.ends_with(".parquet") {
        return read_file(Path::new(reference));
    }
    let user = |message: String| RunError::User(message);
    let (run, rest) = reference.split_once(':').ok_or_else(|| {
        user(format!(
            "`{reference}` names no table; write PIPELINE:stage.table, RUN:stage.table or FILE.parquet"
        ))
    })?;
    let (stage, output) = rest.rsplit_once('.').unwrap_or((rest, ""));
    let run = find_run(run, log)?;
    let mut tables = Vec::new();
    let mut known = Vec::new();
    for entry in log.stages(&run) {
        let Some(manifest) = entry
            .key
            .and_then(|key| store.manifest(&key.parse().ok()?).ok())
        else {
            continue;
        };
        let name = entry.stage.split('[').next().unwrap_or_default();
        for (port, stored) in &manifest.outputs {
            let StoredOutput::Table { digest, .. } = stored else {
                continue;
            };
            known.push(format!("{name}.{port}"));
            let wanted = (entry.stage == stage || name == stage)
                && (port == output || (output.is_empty() && manifest.outputs.len() == 1));
            if wanted {
                let bytes = store.get(digest).map_err(|_| {
                    user(format!(
                        "the table of `{}` is damaged or gone; run again",
                        entry.stage
                    ))
                })?;
                tables.push(with_axes(Table::from_parquet(bytes)?, &axes(&entry.stage))?);
            }
        }
    }
    if tables.is_empty() {
        let near = nearest_name(rest, known.iter().map(String::as_str));
        let help = near.map_or_else(
            || known.join(", "),
            |name| format!("did you mean `{name}`?"),
        );
        return Err(user(format!("run {run} has no table `{rest}`; {help}")));
    }
    concat(tables)
}

fn read_file(path: &Path) -> Result<Table, RunError> {
    let bytes = std::fs::read(path).map_err(|source| RunError::File {
        path: path.display().to_string(),
        source,
    })?;
    Ok(Table::from_parquet(bytes)?)
}

/// The newest run of a pipeline that has results, or the run of that name.
fn find_run(name: &str, log: &RunLog) -> Result<String, RunError> {
    let runs = log.runs();
    let newest = runs
        .iter()
        .rev()
        .find(|run| run.pipeline == name && run.took_s.is_some());
    match newest {
        Some(run) => Ok(run.run.clone()),
        None => log.find(name).map(|run| run.run).map_err(|_| {
            RunError::User(format!(
                "no pipeline and no run `{name}` in this store; `sbt runs` lists them"
            ))
        }),
    }
}

/// Axes of an instance such as `search[sampler=nsga2]`.
fn axes(id: &str) -> std::collections::BTreeMap<String, serde_json::Value> {
    let inner = id
        .split_once('[')
        .and_then(|(_, rest)| rest.strip_suffix(']'))
        .unwrap_or("");
    inner
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(axis, value)| (axis.to_owned(), value.into()))
        .collect()
}
