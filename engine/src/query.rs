//! Questions to one table: which rows, which columns, in which order.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use polars::prelude::{BooleanChunked, NewChunkedArray, SortMultipleOptions};
use sbt_schemas::Cell;

use crate::bridge::{from_polars, to_polars};
use crate::{Expr, Table, nearest_name};

/// What is asked of a table.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Condition on a row, such as `ttft_p95_s < 1 and outcome == "ok"`.
    pub condition: Option<String>,
    /// Columns to keep, in this order; all when empty.
    pub select: Vec<String>,
    /// Column to sort by.
    pub sort: Option<String>,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// Rows to keep at most.
    pub limit: Option<usize>,
}

/// The rows and columns that were asked for.
///
/// # Errors
/// When a column is not there, with the nearest name, or the condition is none.
pub fn query(table: &Table, query: &Query) -> Result<Table, String> {
    let schema = table.batch.schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    for column in query.select.iter().chain(&query.sort) {
        if !names.contains(&column.as_str()) {
            return Err(unknown(column, &names));
        }
    }
    let failed = |error: polars::prelude::PolarsError| error.to_string();
    let mut frame = to_polars(&table.batch)?;
    if let Some(condition) = &query.condition {
        let mask = mask(&table.batch, condition, &names)?;
        let mask = BooleanChunked::from_slice("mask".into(), &mask);
        frame = frame.filter(&mask).map_err(failed)?;
    }
    if let Some(column) = &query.sort {
        let options = SortMultipleOptions::default()
            .with_order_descending(query.descending)
            .with_nulls_last(true)
            .with_maintain_order(true);
        frame = frame.sort([column.as_str()], options).map_err(failed)?;
    }
    if !query.select.is_empty() {
        frame = frame
            .select(query.select.iter().map(String::as_str))
            .map_err(failed)?;
    }
    if let Some(limit) = query.limit {
        frame = frame.head(Some(limit));
    }
    Ok(Table {
        batch: from_polars(&frame, &schema)?,
        name: table.name.clone().filter(|_| query.select.is_empty()),
        version: table.version.filter(|_| query.select.is_empty()),
    })
}

fn unknown(column: &str, names: &[&str]) -> String {
    match nearest_name(column, names.iter().copied()) {
        Some(near) => format!("no column `{column}`; did you mean `{near}`?"),
        None => format!("no column `{column}`; there are {}", names.join(", ")),
    }
}

fn mask(batch: &RecordBatch, condition: &str, names: &[&str]) -> Result<Vec<bool>, String> {
    let expr = Expr::parse(condition).map_err(|error| error.to_string())?;
    expr.check_names(names).map_err(|error| error.to_string())?;
    (0..batch.num_rows())
        .map(|row| {
            let lookup = |name: &str| cell(batch.column_by_name(name)?, row);
            match expr.eval(&lookup).map_err(|error| error.to_string())? {
                Cell::Bool(keep) => Ok(keep),
                Cell::Null => Ok(false),
                Cell::Number(_) | Cell::Text(_) => Err(format!("`{condition}` is no condition")),
            }
        })
        .collect()
}

/// A value of a column; lists have none.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a table of a user's own may hold any of arrow's types"
)]
fn cell(column: &ArrayRef, row: usize) -> Option<Cell> {
    if column.is_null(row) {
        return Some(Cell::Null);
    }
    match column.data_type() {
        DataType::Boolean => Some(Cell::Bool(column.as_boolean().value(row))),
        DataType::Utf8 => Some(Cell::Text(column.as_string::<i32>().value(row).to_owned())),
        kind if kind.is_numeric() => {
            let one = arrow::compute::cast(&column.slice(row, 1), &DataType::Float64).ok()?;
            Some(Cell::Number(one.as_primitive::<Float64Type>().value(0)))
        }
        _ => Some(Cell::Null),
    }
}

#[cfg(test)]
mod tests {
    use sbt_schemas::{Provenance, Verdict, VerdictRow};

    use super::*;

    fn table() -> Table {
        let row = |check: &str, value: Option<f64>| VerdictRow {
            check: check.to_owned(),
            subject: "s".to_owned(),
            verdict: Verdict::Pass,
            value,
            limit: None,
            evidence: String::new(),
            provenance: Provenance::Simulated,
        };
        Table::from_rows(&[row("b", Some(2.0)), row("a", Some(1.0)), row("c", None)]).unwrap()
    }

    #[test]
    fn rows_are_filtered_sorted_and_cut() {
        let asked = Query {
            condition: Some("value >= 1 or check == \"c\"".to_owned()),
            sort: Some("value".to_owned()),
            limit: Some(2),
            ..Query::default()
        };
        let rows: Vec<VerdictRow> = query(&table(), &asked).unwrap().rows().unwrap();
        let names: Vec<_> = rows.iter().map(|row| row.check.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn whole_table_comes_back_as_it_was() {
        assert_eq!(query(&table(), &Query::default()).unwrap(), table());
    }

    #[test]
    fn unknown_column_names_the_nearest() {
        let asked = Query {
            select: vec!["valu".to_owned()],
            ..Query::default()
        };
        assert!(query(&table(), &asked).unwrap_err().contains("`value`"));
    }
}
