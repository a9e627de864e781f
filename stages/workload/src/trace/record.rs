use std::sync::Arc;

use arrow::array::{Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use csv::StringRecord;
use sbt_engine::Table;

use super::TraceError;

/// Rows of a file with named columns: CSV, or Parquet as text.
pub(crate) struct Records<'a> {
    pub(crate) header: Header,
    pub(crate) rows: Box<dyn Iterator<Item = Result<Record, TraceError>> + 'a>,
}

/// The columns of a file.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    file: Arc<str>,
    names: Arc<[String]>,
}

/// A column of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column(usize);

/// One row.
#[derive(Debug)]
pub(crate) struct Record {
    header: Header,
    line: u64,
    fields: StringRecord,
}

impl Header {
    /// The column of this name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Option<Column> {
        self.names.iter().position(|n| n == name).map(Column)
    }

    /// The column of this name, which must be there.
    pub(crate) fn need(&self, name: &str) -> Result<Column, TraceError> {
        self.need_or(name, "")
    }

    /// The same, with advice for when it is not.
    pub(crate) fn need_or(&self, name: &str, advice: &str) -> Result<Column, TraceError> {
        self.find(name).ok_or_else(|| TraceError::File {
            file: self.file.to_string(),
            problem: format!(
                "has no column `{name}`; its columns are {}{advice}",
                quoted(&self.names)
            ),
        })
    }
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

impl Record {
    /// Text of a column.
    pub(crate) fn text(&self, column: Column) -> &str {
        self.fields.get(column.0).unwrap_or("").trim()
    }

    /// A whole number, not negative; `374.0` counts as one.
    pub(crate) fn whole(&self, column: Column) -> Result<u64, TraceError> {
        let text = self.text(column);
        let float = || {
            text.parse()
                .ok()
                .filter(|f: &f64| f.fract() == 0.0 && *f >= 0.0)
        };
        text.parse()
            .ok()
            .or_else(|| float().map(|f| f as u64))
            .ok_or_else(|| self.unexpected(column, "a whole number of 0 or more"))
    }

    /// A number.
    pub(crate) fn number(&self, column: Column) -> Result<f64, TraceError> {
        let number = self
            .text(column)
            .parse()
            .ok()
            .filter(|f: &f64| f.is_finite());
        number.ok_or_else(|| self.unexpected(column, "a number"))
    }

    /// The error that a column holds something else than expected.
    pub(crate) fn unexpected(&self, column: Column, expected: &str) -> TraceError {
        let (name, text) = (&self.header.names[column.0], self.text(column));
        TraceError::Line {
            file: self.header.file.to_string(),
            line: self.line,
            problem: format!("column `{name}` holds `{text}`; expected {expected}"),
        }
    }
}

/// The rows of a CSV file.
pub(crate) fn csv_records<'a>(file: &str, bytes: &'a [u8]) -> Result<Records<'a>, TraceError> {
    let mut reader = csv::Reader::from_reader(bytes);
    let file: Arc<str> = file.into();
    let names = reader.headers().map_err(|error| csv_error(&file, &error))?;
    let header = Header {
        file: Arc::clone(&file),
        names: names.iter().map(|name| name.trim().to_owned()).collect(),
    };
    let of_rows = header.clone();
    let rows = reader.into_records().map(move |row| {
        let fields = row.map_err(|error| csv_error(&file, &error))?;
        Ok(Record {
            header: of_rows.clone(),
            line: fields.position().map_or(0, csv::Position::line),
            fields,
        })
    });
    Ok(Records {
        header,
        rows: Box::new(rows),
    })
}

fn csv_error(file: &str, error: &csv::Error) -> TraceError {
    let problem = if let csv::ErrorKind::UnequalLengths {
        expected_len, len, ..
    } = error.kind()
    {
        format!("has {len} fields; expected {expected_len}, as in the header")
    } else {
        error.to_string()
    };
    TraceError::Line {
        file: file.to_owned(),
        line: error.position().map_or(1, csv::Position::line),
        problem,
    }
}

/// The rows of a Parquet file; lines count from 1, without a header.
pub(crate) fn parquet_records(file: &str, bytes: Vec<u8>) -> Result<Records<'static>, TraceError> {
    let file: Arc<str> = file.into();
    let problem = |problem: String| TraceError::File {
        file: file.to_string(),
        problem,
    };
    let batch = Table::from_parquet(bytes)
        .map_err(|error| problem(error.to_string()))?
        .batch;
    let schema = batch.schema();
    let readable = |index: &usize| !schema.field(*index).data_type().is_nested();
    let kept: Vec<usize> = (0..batch.num_columns()).filter(readable).collect();
    let header = Header {
        file: Arc::clone(&file),
        names: kept
            .iter()
            .map(|&i| schema.field(i).name().clone())
            .collect(),
    };
    let mut columns: Vec<StringArray> = Vec::with_capacity(kept.len());
    for &index in &kept {
        let text = cast(batch.column(index), &DataType::Utf8)
            .map_err(|error| problem(error.to_string()))?;
        columns.push(StringArray::from(text.to_data()));
    }
    let of_rows = header.clone();
    let rows = (0..batch.num_rows()).map(move |row| {
        let text = |column: &StringArray| match column.is_null(row) {
            true => String::new(),
            false => column.value(row).to_owned(),
        };
        Ok(Record {
            header: of_rows.clone(),
            line: row as u64 + 1,
            fields: columns.iter().map(text).collect(),
        })
    });
    Ok(Records {
        header,
        rows: Box::new(rows),
    })
}
