//! Results for people: placed whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde_json::Value;

use crate::run::{RunError, RunReport, concat, with_axes};
use crate::{Digest, Plan, RunEntry, RunLog, Store, StoreError, StoredOutput, Table};

/// File in a results folder that says that it is one, and of what.
const MARKER: &str = ".sbt-results";

/// Places the outputs of a complete run: folders at the root, tables under `tables/` as
/// `STAGE.OUTPUT.parquet`, instances of a matrix concatenated. An unchanged result is left alone.
///
/// # Errors
/// When the folder holds something else, or cannot be written. What lay there stays then.
pub fn place(plan: &Plan, report: &RunReport, store: &Store, out: &Path) -> Result<(), RunError> {
    let stages = plan.stages.iter().zip(&report.stages);
    let results = stages.map(|(planned, stage)| StageResult {
        stage: planned.name.clone(),
        axes: planned.axes.clone(),
        outputs: stage
            .manifest()
            .map(|manifest| manifest.outputs.clone())
            .unwrap_or_default(),
    });
    place_results(results.collect(), store, out)
}

/// Places what a run of the log left, as [`place`] does; what is not in the store any more, and
/// what the run did not reach, is left out.
///
/// # Errors
/// When nothing of the run is in the store, and like [`place`].
pub fn place_run(log: &RunLog, run: &RunEntry, store: &Store, out: &Path) -> Result<(), RunError> {
    let stages = log.stages(&run.run).into_iter();
    let results = stages.filter_map(|entry| {
        let manifest = store.manifest(&entry.key?.parse().ok()?).ok()?;
        let (stage, axes) = instance(&entry.stage);
        Some(StageResult {
            stage,
            axes,
            outputs: manifest.outputs,
        })
    });
    let results: Vec<StageResult> = results.collect();
    if results.is_empty() {
        return Err(RunError::User(format!(
            "nothing of run {} is in the store any more; run its pipeline again",
            run.run
        )));
    }
    place_results(results, store, out)
}

/// What one stage left.
struct StageResult {
    stage: String,
    axes: BTreeMap<String, Value>,
    outputs: BTreeMap<String, StoredOutput>,
}

/// Stage and axes of an instance, from its name: `search[sampler=random]`.
fn instance(id: &str) -> (String, BTreeMap<String, Value>) {
    let Some((stage, axes)) = id.strip_suffix(']').and_then(|id| id.split_once('[')) else {
        return (id.to_owned(), BTreeMap::new());
    };
    let axes = axes.split(',').filter_map(|axis| {
        let (name, value) = axis.split_once('=')?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        Some((name.to_owned(), value))
    });
    (stage.to_owned(), axes.collect())
}

fn place_results(results: Vec<StageResult>, store: &Store, out: &Path) -> Result<(), RunError> {
    let contents = contents(results);
    let identity = identity(&contents);
    if fs::read_to_string(out.join(MARKER)).is_ok_and(|text| text == identity)
        && whole(out, &contents)
    {
        return Ok(());
    }
    refuse_foreign(out)?;
    sweep(out);
    let fresh = sibling(out, "new");
    let written = write_all(&fresh, &contents, store, &identity);
    if let Err(error) = written.and_then(|()| swap(&fresh, out)) {
        // Whatever stopped us, the fragment must not stay.
        let _ = fs::remove_dir_all(&fresh);
        return Err(error);
    }
    Ok(())
}

/// What goes to a path: an object as it is, or the parts of a table.
enum Content {
    Object(Digest),
    Tables(Vec<Part>),
}

/// One instance's table, and the axes of the instance.
type Part = (Digest, BTreeMap<String, Value>);

fn contents(results: Vec<StageResult>) -> BTreeMap<String, Content> {
    let mut contents = BTreeMap::new();
    let mut tables: BTreeMap<String, Vec<Part>> = BTreeMap::new();
    for StageResult {
        stage,
        axes,
        outputs,
    } in results
    {
        for (name, output) in outputs {
            match output {
                StoredOutput::Folder { files } => {
                    let files = files
                        .into_iter()
                        .map(|(path, digest)| (path, Content::Object(digest)));
                    contents.extend(files);
                }
                StoredOutput::Table { digest, .. } => tables
                    .entry(format!("tables/{stage}.{name}.parquet"))
                    .or_default()
                    .push((digest, axes.clone())),
                StoredOutput::File { .. } => {}
            }
        }
    }
    contents.extend(
        tables
            .into_iter()
            .map(|(path, parts)| (path, Content::Tables(parts))),
    );
    contents
}

fn identity(contents: &BTreeMap<String, Content>) -> String {
    let lines = contents.iter().map(|(path, content)| match content {
        Content::Object(digest) => format!("{path} {digest}\n"),
        Content::Tables(parts) => {
            let digests: Vec<_> = parts.iter().map(|(digest, _)| digest.to_string()).collect();
            format!("{path} {}\n", digests.join("+"))
        }
    });
    format!(
        "placed by sbt; it may replace or remove this folder\n{}",
        lines.collect::<String>()
    )
}

fn whole(out: &Path, contents: &BTreeMap<String, Content>) -> bool {
    contents.keys().all(|path| out.join(path).is_file())
}

fn refuse_foreign(out: &Path) -> Result<(), RunError> {
    let empty = fs::read_dir(out).map_or(true, |mut entries| entries.next().is_none());
    if empty || out.join(MARKER).is_file() {
        return Ok(());
    }
    Err(RunError::User(format!(
        "{} holds files that sbt did not place; name another folder with --out",
        out.display()
    )))
}

fn sibling(out: &Path, what: &str) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!(".{name}.{what}-{}", std::process::id()))
}

fn write_all(
    folder: &Path,
    contents: &BTreeMap<String, Content>,
    store: &Store,
    identity: &str,
) -> Result<(), RunError> {
    // A process that was killed here before may have had the same number.
    let _ = fs::remove_dir_all(folder);
    let mut made = BTreeSet::new();
    for (path, content) in contents {
        let bytes = match content {
            Content::Object(digest) => object(store, digest)?,
            Content::Tables(parts) => table(store, parts)?,
        };
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        if made.insert(parent.to_owned()) {
            fs::create_dir_all(parent).map_err(StoreError::write(parent))?;
        }
        fs::write(&path, bytes).map_err(StoreError::write(&path))?;
    }
    fs::create_dir_all(folder).map_err(StoreError::write(folder))?;
    let marker = folder.join(MARKER);
    Ok(fs::write(&marker, identity).map_err(StoreError::write(&marker))?)
}

fn object(store: &Store, digest: &Digest) -> Result<Vec<u8>, RunError> {
    store.get(digest).map_err(|_| {
        RunError::User(format!(
            "object {} was damaged while it was placed; run again",
            digest.short()
        ))
    })
}

fn table(store: &Store, parts: &[Part]) -> Result<Vec<u8>, RunError> {
    if let [(digest, _)] = parts {
        return object(store, digest);
    }
    let mut tables = Vec::new();
    for (digest, axes) in parts {
        tables.push(with_axes(
            Table::from_parquet(object(store, digest)?)?,
            axes,
        )?);
    }
    Ok(concat(tables)?.to_parquet()?)
}

/// Puts the new folder where the old one was, in one step.
fn swap(fresh: &Path, out: &Path) -> Result<(), RunError> {
    if let Some(parent) = out.parent() {
        fs::create_dir_all(parent).map_err(StoreError::write(parent))?;
    }
    let exchanged = renameat_with(CWD, fresh, CWD, out, RenameFlags::EXCHANGE);
    let swapped = match exchanged {
        Ok(()) => Ok(()),
        Err(Errno::NOENT) => fs::rename(fresh, out),
        Err(error) => Err(error.into()),
    };
    swapped.map_err(StoreError::write(out))?;
    // The old result is out of sight already.
    let _ = fs::remove_dir_all(fresh);
    Ok(())
}

/// Removes what runs that were killed while they placed their results left beside them.
fn sweep(out: &Path) {
    let lead = format!(
        ".{}.new-",
        out.file_name().unwrap_or_default().to_string_lossy()
    );
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = fs::read_dir(folder.unwrap_or(Path::new(".")))
        .into_iter()
        .flatten()
        .flatten();
    for entry in entries {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(&lead)?.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Litter that cannot be removed does no harm.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
