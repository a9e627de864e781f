//! The file of the points, as text by column.

use std::collections::BTreeMap;

use sbt_engine::StageError;

/// Columns that a file of points must have.
const NEEDED: [&str; 6] = [
    "model_path",
    "system",
    "backend",
    "isl",
    "osl",
    "silicon_tpot_ms",
];

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Line {
    /// Counted from 1, the header included.
    pub(crate) number: u64,
    cells: BTreeMap<String, String>,
}

impl Line {
    /// Text of a column; empty where the file has none.
    pub(crate) fn text(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", |text| text.trim())
    }

    /// Number of a column. None: it is empty.
    ///
    /// # Errors
    /// When it is no number, or less than 0.
    pub(crate) fn number(&self, column: &str) -> Result<Option<f64>, String> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
            Ok(_) | Err(_) => Err(format!(
                "`{column}` is `{text}`, expected a number of 0 or more"
            )),
        }
    }
}

/// The lines of a file of points.
pub(crate) fn lines(text: &str) -> Result<Vec<Line>, StageError> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let malformed = |error: csv::Error| StageError::user(format!("the file of points: {error}"));
    let header = reader.headers().map_err(malformed)?.clone();
    let header: Vec<&str> = header.iter().map(str::trim).collect();
    let missing: Vec<&str> = NEEDED
        .into_iter()
        .filter(|name| !header.contains(name))
        .collect();
    if !missing.is_empty() {
        return Err(StageError::user(format!(
            "the file of points has no column `{}`: expected those of AIConfigurator's silicon \
             samples, {} at least",
            missing.join("`, `"),
            NEEDED.join(", ")
        )));
    }
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(malformed)?;
        let cells = header.iter().zip(&record);
        lines.push(Line {
            number: record.position().map_or(0, csv::Position::line),
            cells: cells
                .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
                .collect(),
        });
    }
    if lines.is_empty() {
        return Err(StageError::user(
            "the file of points has a header and no point",
        ));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_may_stand_in_any_order_and_be_missing() {
        let text = "osl,isl,model_path,system,backend,silicon_tpot_ms\n128, 1024 ,m,s,b,x\n";
        let lines = lines(text).unwrap();
        assert_eq!(lines[0].number("isl"), Ok(Some(1024.0)));
        assert_eq!(lines[0].number("tp_size"), Ok(None));
        assert!(
            lines[0]
                .number("silicon_tpot_ms")
                .unwrap_err()
                .contains("`x`")
        );
        assert_eq!((lines[0].text("model_path"), lines[0].number), ("m", 2));
    }

    #[test]
    fn broken_files_say_what_was_expected() {
        for (text, part) in [
            ("", "no column `model_path`"),
            ("isl,osl\n1,2\n", "silicon_tpot_ms"),
            (
                "model_path,system,backend,isl,osl,silicon_tpot_ms\n",
                "no point",
            ),
            (
                "model_path,system,backend,isl,osl,silicon_tpot_ms\na,b\n",
                "line: 2",
            ),
        ] {
            let error = lines(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
