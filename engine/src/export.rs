//! A table as text: CSV, JSON lines, cells for a grid.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use serde_json::{Map, Value};

use crate::{Table, TableIoError};

impl Table {
    /// Comma-separated values with a head; lists as JSON.
    ///
    /// # Errors
    /// When a column has a type that has no text.
    pub fn to_csv(&self) -> Result<String, TableIoError> {
        let (head, rows) = self.to_text()?;
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
            format!("{}\n", cells.join(","))
        };
        let rows: String = rows.iter().map(|row| line(row)).collect();
        Ok(line(&head) + &rows)
    }

    /// One JSON object per line.
    ///
    /// # Errors
    /// When a column has a type that has no JSON.
    pub fn to_json_lines(&self) -> Result<String, TableIoError> {
        let mut text = String::new();
        let schema = self.batch.schema();
        for row in 0..self.batch.num_rows() {
            let mut object = Map::new();
            for (field, column) in schema.fields().iter().zip(self.batch.columns()) {
                object.insert(field.name().clone(), value(column, row)?);
            }
            text.push_str(&format!("{}\n", Value::Object(object)));
        }
        Ok(text)
    }

    /// Names of the columns, and every cell as text; a null is empty.
    ///
    /// # Errors
    /// When a column has a type that has no text.
    pub fn to_text(&self) -> Result<(Vec<String>, Vec<Vec<String>>), TableIoError> {
        let schema = self.batch.schema();
        let head = schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let mut rows = Vec::with_capacity(self.batch.num_rows());
        for row in 0..self.batch.num_rows() {
            let cells = self
                .batch
                .columns()
                .iter()
                .map(|column| Ok(plain(value(column, row)?)));
            rows.push(cells.collect::<Result<_, TableIoError>>()?);
        }
        Ok((head, rows))
    }
}

/// A value as a cell shows it.
pub(crate) fn plain(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a table of a user's own may hold any of arrow's types"
)]
fn value(column: &ArrayRef, row: usize) -> Result<Value, TableIoError> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match column.data_type() {
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        DataType::Float64 => Value::from(column.as_primitive::<Float64Type>().value(row)),
        DataType::Int64 => Value::from(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => Value::from(column.as_primitive::<UInt64Type>().value(row)),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            let items = (0..items.len()).map(|i| value(&items, i));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        _ => {
            // A table of a user's own may hold any type: what has a text is shown as text.
            let text = arrow::compute::cast(&column.slice(row, 1), &DataType::Utf8)?;
            Value::from(text.as_string::<i32>().value(0))
        }
    })
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
