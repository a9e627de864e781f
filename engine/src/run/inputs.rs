use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde_json::Value;

use crate::export::plain;
use crate::key::{KeyInput, StageKey};
use crate::run::RunError;
use crate::{Digest, Manifest, Plan, PlannedStage, Store, StoredOutput, Table, Wire};

/// Results of earlier stages, by index; none for those that have none.
pub(crate) type Results<'a> = dyn Fn(usize) -> Option<&'a Manifest> + 'a;

/// Key components of a stage; none as long as an input has no result.
pub(crate) fn components(
    plan: &Plan,
    stage: &PlannedStage,
    results: &Results<'_>,
) -> Result<Option<Value>, RunError> {
    let mut inputs = BTreeMap::new();
    for (name, wires) in &stage.inputs {
        let mut parts = Vec::new();
        for wire in wires {
            let Some(output) = results(wire.stage).and_then(|m| m.outputs.get(&wire.output)) else {
                return Ok(None);
            };
            parts.push(KeyInput {
                digest: output.digest(),
                axes: added_axes(plan, stage, wire),
            });
        }
        inputs.insert(name.as_str(), parts);
    }
    let mut files = BTreeMap::new();
    for (name, path) in &stage.files {
        files.insert(name.as_str(), file_digest(path)?);
    }
    Ok(Some(StageKey::new(stage, inputs, files).components()))
}

/// Axes whose values become columns: those that the reader is not matched on.
fn added_axes(plan: &Plan, reader: &PlannedStage, wire: &Wire) -> BTreeMap<String, Value> {
    let axes = plan.stages[wire.stage].axes.iter();
    let unmatched = axes.filter(|(axis, _)| !reader.axes.contains_key(*axis));
    unmatched
        .map(|(axis, value)| (axis.clone(), value.clone()))
        .collect()
}

/// Of a file its bytes; of a folder the names and the digests of all that is in it.
fn file_digest(path: &Path) -> Result<Digest, RunError> {
    let failed = |source| RunError::File {
        path: path.display().to_string(),
        source,
    };
    let mut hasher = blake3::Hasher::new();
    if path.is_dir() {
        let entries = fs::read_dir(path).map_err(failed)?;
        let paths = entries.map(|entry| Ok(entry?.path()));
        let mut paths: Vec<PathBuf> = paths.collect::<io::Result<_>>().map_err(failed)?;
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default();
            hasher.update(format!("{name:?} {}\n", file_digest(&path)?).as_bytes());
        }
    } else {
        let mut file = File::open(path).map_err(failed)?;
        io::copy(&mut file, &mut hasher).map_err(failed)?;
    }
    Ok(Digest::finish(&hasher))
}

/// What a stage reads, ready to use.
#[derive(Default)]
pub(crate) struct ReadyInputs {
    pub(crate) tables: BTreeMap<String, Table>,
    pub(crate) files: BTreeMap<String, PathBuf>,
}

/// Reads the inputs of a stage from the store.
pub(crate) fn read(
    plan: &Plan,
    stage: &PlannedStage,
    manifests: &BTreeMap<usize, Arc<Manifest>>,
    store: &Store,
) -> Result<ReadyInputs, RunError> {
    let mut ready = ReadyInputs::default();
    for (name, wires) in &stage.inputs {
        let mut tables = Vec::new();
        for wire in wires {
            let output = manifests
                .get(&wire.stage)
                .and_then(|m| m.outputs.get(&wire.output));
            match output {
                Some(StoredOutput::Table { digest, .. }) => {
                    let table = read_table(store, digest)?;
                    tables.push(with_axes(table, &added_axes(plan, stage, wire))?);
                }
                Some(StoredOutput::File { digest }) => {
                    ready.files.insert(name.clone(), store.object_path(digest));
                }
                Some(StoredOutput::Folder { .. }) | None => {
                    let message = format!("input `{name}` of `{}` is no table or file", stage.id);
                    return Err(RunError::User(message));
                }
            }
        }
        if !tables.is_empty() {
            ready.tables.insert(name.clone(), concat(tables)?);
        }
    }
    Ok(ready)
}

/// A table of the store.
pub(crate) fn read_table(store: &Store, digest: &Digest) -> Result<Table, RunError> {
    let bytes = store.get(digest).map_err(|_| {
        let message = format!(
            "object {} was damaged while the run went on; run again",
            digest.short()
        );
        RunError::User(message)
    })?;
    Ok(Table::from_parquet(bytes)?)
}

/// The table with one text column per axis, unless it has a column of that name.
pub(crate) fn with_axes(table: Table, axes: &BTreeMap<String, Value>) -> Result<Table, RunError> {
    let mut fields: Vec<Field> = table
        .batch
        .schema()
        .fields()
        .iter()
        .map(|f| f.as_ref().clone())
        .collect();
    let mut columns: Vec<ArrayRef> = table.batch.columns().to_vec();
    for (axis, value) in axes {
        if fields.iter().any(|field| field.name() == axis) {
            continue;
        }
        let text = plain(value.clone());
        let values = std::iter::repeat_n(text.as_str(), table.batch.num_rows());
        fields.push(Field::new(axis, DataType::Utf8, false));
        columns.push(Arc::new(StringArray::from_iter_values(values)));
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(crate::TableIoError::from)?;
    Ok(Table { batch, ..table })
}

/// The columns of a batch in the order of another one's.
fn in_order(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, RunError> {
    let names = schema.fields().iter().map(|field| field.name());
    let places: Result<Vec<usize>, _> = names.map(|name| batch.schema().index_of(name)).collect();
    let same_width = batch.num_columns() == schema.fields().len();
    match places {
        Ok(places) if same_width => {
            Ok(batch.project(&places).map_err(crate::TableIoError::from)?)
        }
        _ => Err(RunError::User(
            "tables with different columns cannot be read as one input".to_owned(),
        )),
    }
}

/// Tables with the same columns, one after the other.
pub(crate) fn concat(tables: Vec<Table>) -> Result<Table, RunError> {
    let mut tables = tables.into_iter();
    let Some(first) = tables.next() else {
        return Err(RunError::User("an input has no table".to_owned()));
    };
    let schema = first.batch.schema();
    let mut batches = vec![first.batch.clone()];
    for table in tables {
        batches.push(in_order(&table.batch, &schema)?);
    }
    let batch = concat_batches(&schema, &batches).map_err(crate::TableIoError::from)?;
    Ok(Table { batch, ..first })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_a_folder_changes_with_names_and_contents() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            file_digest(dir.path()).unwrap()
        };
        let one = write("a", "1");
        let two = write("sub/b", "2");
        assert!(one != two && two == write("a", "1"));
        assert!(two != write("sub/b", "3") && two != write("sub/c", "2"));
    }
}
