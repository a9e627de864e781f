use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use serde_json::{Map, json};

use crate::ColumnType;

/// What a table is: its columns, and which of them identify a row.
#[derive(Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// Name in pipelines, files and the store.
    pub name: &'static str,
    /// Raised when a column is added, removed or changes its meaning.
    pub version: u32,
    /// What one row is.
    pub about: &'static str,
    /// Columns that identify a row, in sort order.
    pub key: &'static [&'static str],
    /// All columns, in file order.
    pub columns: &'static [Column],
}

/// One column of a table.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Name; its unit is its last part.
    pub name: &'static str,
    /// Type of its values.
    pub kind: ColumnType,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// Meaning, from the field's doc comment.
    pub about: &'static str,
}

/// Why rows could not be read from a batch.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A column that must be there is not.
    #[error("table `{table}` has no column `{column}`")]
    MissingColumn {
        /// Table read.
        table: &'static str,
        /// Column wanted.
        column: &'static str,
    },
    /// A column has another type, and no lossless cast exists.
    #[error("column `{column}`: expected {expected}, found {found}")]
    WrongType {
        /// Column read.
        column: String,
        /// Type wanted.
        expected: String,
        /// Type found.
        found: String,
    },
    /// A null where none is allowed.
    #[error("column `{column}`: row {row} is null")]
    UnexpectedNull {
        /// Column read.
        column: String,
        /// Row, from 0.
        row: usize,
    },
    /// A word that is not in the column's vocabulary.
    #[error("column `{column}`: `{found}` is not one of {expected}")]
    UnknownWord {
        /// Column read.
        column: String,
        /// Word found.
        found: String,
        /// Words allowed.
        expected: String,
    },
    /// Arrow refused.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}

impl TableSpec {
    /// The Arrow schema of the table.
    #[must_use]
    pub fn arrow_schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self
            .columns
            .iter()
            .map(|c| Field::new(c.name, c.kind.arrow(), c.nullable))
            .collect();
        Arc::new(Schema::new(fields))
    }

    /// Column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// JSON Schema of one row, with unit and meaning of each column.
    #[must_use]
    pub fn json_schema(&self) -> serde_json::Value {
        let mut properties = Map::new();
        for column in self.columns {
            let mut entry = Map::new();
            entry.insert("description".into(), json!(column.about));
            entry.insert("type".into(), column.kind.json(column.nullable));
            if let Some(items) = column.kind.json_items() {
                entry.insert("items".into(), json!({ "type": items }));
            }
            if let Some(unit) = unit(column.name) {
                entry.insert("unit".into(), json!(unit));
            }
            properties.insert(column.name.into(), entry.into());
        }
        let required: Vec<_> = self
            .columns
            .iter()
            .filter(|c| !c.nullable)
            .map(|c| c.name)
            .collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "description": self.about,
            "version": self.version,
            "key": self.key,
            "type": "object",
            "properties": properties,
            "required": required,
        })
    }
}

/// Unit of a column, read off the end of its name.
///
/// ```
/// assert_eq!(sbt_schemas::unit("ttft_p95_s"), Some("s"));
/// assert_eq!(sbt_schemas::unit("outcome"), None);
/// ```
#[must_use]
pub fn unit(column: &str) -> Option<&'static str> {
    const UNITS: &[(&str, &str)] = &[
        ("_usd_h", "USD/h"),
        ("_usd_month", "USD/month"),
        ("_per_mtok", "USD per million output tokens"),
        ("tok_s", "tokens/s"),
        ("_tokens", "tokens"),
        ("rps", "requests/s"),
        ("_mb", "MB"),
        ("_w", "W"),
        ("_s", "s"),
        ("_rate", "fraction"),
        ("_share", "fraction"),
    ];
    UNITS
        .iter()
        .find(|(suffix, _)| column.ends_with(suffix))
        .map(|(_, unit)| *unit)
}
