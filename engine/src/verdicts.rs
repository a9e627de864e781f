//! Verdicts of gates, read from any table named `verdicts`: the engine knows no gate.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;

use crate::{Manifest, RunReport, Store, StoredOutput, Table};

/// A row of a table named `verdicts`, whoever wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredVerdict {
    /// Name of the check.
    pub check: String,
    /// What is judged.
    pub subject: Option<String>,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: String,
    /// Value that was judged.
    pub value: Option<f64>,
    /// Limit.
    pub limit: Option<f64>,
    /// What it rests on.
    pub evidence: Option<String>,
}

/// Every verdict of a run, with the stage that gave it.
#[must_use]
pub fn verdicts(report: &RunReport, store: &Store) -> Vec<(String, StoredVerdict)> {
    let mut found = Vec::new();
    for stage in &report.stages {
        let rows = stage
            .manifest()
            .map(|manifest| verdicts_of(manifest, store));
        found.extend(
            rows.into_iter()
                .flatten()
                .map(|row| (stage.id.clone(), row)),
        );
    }
    found
}

fn verdicts_of(manifest: &Manifest, store: &Store) -> Vec<StoredVerdict> {
    let Some(StoredOutput::Table { digest, .. }) = manifest.outputs.get("verdicts") else {
        return Vec::new();
    };
    let table = store
        .get(digest)
        .ok()
        .and_then(|bytes| Table::from_parquet(bytes).ok());
    table.map(|table| rows(&table)).unwrap_or_default()
}

fn rows(table: &Table) -> Vec<StoredVerdict> {
    let text = |name: &str, row: usize| -> Option<String> {
        let column = table.batch.column_by_name(name)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let number = |name: &str, row: usize| -> Option<f64> {
        let column = table
            .batch
            .column_by_name(name)?
            .as_primitive_opt::<Float64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    };
    (0..table.batch.num_rows())
        .filter_map(|row| {
            Some(StoredVerdict {
                check: text("check", row)?,
                subject: text("subject", row),
                verdict: text("verdict", row)?,
                value: number("value", row),
                limit: number("limit", row),
                evidence: text("evidence", row),
            })
        })
        .collect()
}
