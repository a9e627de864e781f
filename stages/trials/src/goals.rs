use std::collections::BTreeSet;

use sbt_engine::{Expr, ParamError};
use sbt_schemas::{CandidateRow, Cell, Column, ColumnType, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lead of names that mean the baseline's columns.
pub(crate) const BASELINE: &str = "baseline.";

/// What a decision wants: expressions over the columns of a candidate (`e2e_p95_s`, `quality`,
/// …) and of the baseline (`baseline.e2e_p95_s`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Goals {
    /// To make small.
    pub minimize: Vec<String>,
    /// To make large.
    pub maximize: Vec<String>,
    /// What must hold, such as `ttft_p95_s <= 1.0` or `quality >= 0.98 * baseline.quality`.
    pub subject_to: Vec<String>,
}

/// Metrics that a report compares with the baseline in any case, in this order.
const ALWAYS_COMPARED: [&str; 7] = [
    "e2e_p95_s",
    "ttft_p95_s",
    "tpot_p95_s",
    "goodput_rps",
    "cost_per_mtok",
    "vram_peak_mb",
    "quality",
];

impl Goals {
    /// What a report claims of a recommendation against the baseline: the objectives, then what is
    /// compared in any case.
    #[must_use]
    pub fn compared(&self) -> Vec<&str> {
        let objectives = self.minimize.iter().chain(&self.maximize);
        let mut compared: Vec<&str> = Vec::new();
        for metric in objectives.map(String::as_str).chain(ALWAYS_COMPARED) {
            if !compared.contains(&metric) {
                compared.push(metric);
            }
        }
        compared
    }

    /// Everything that is wrong with the expressions: what does not parse, names no column, or is
    /// no number (objectives) and no condition (constraints). Paths lead from the goals down.
    #[must_use]
    pub fn check(&self) -> Vec<ParamError> {
        let parts = [
            ("minimize", &self.minimize, Wanted::Number),
            ("maximize", &self.maximize, Wanted::Number),
            ("subject_to", &self.subject_to, Wanted::Condition),
        ];
        let mut errors = Vec::new();
        for (part, sources, wanted) in parts {
            for (index, source) in sources.iter().enumerate() {
                if let Err(message) = parse(source, wanted) {
                    errors.push(ParamError::at(&[part, &index.to_string()], message));
                }
            }
        }
        errors
    }

    /// Columns of a candidate that the expressions name, each once.
    #[must_use]
    pub fn columns(&self) -> BTreeSet<String> {
        let sources = [&self.minimize, &self.maximize, &self.subject_to];
        let parsed = sources
            .into_iter()
            .flatten()
            .flat_map(|source| Expr::parse(source));
        let names = parsed.flat_map(|expr| {
            let names = expr.names().into_iter().map(str::to_owned);
            names.collect::<Vec<_>>()
        });
        names.filter(|name| !name.starts_with(BASELINE)).collect()
    }

    /// Whether an expression names the baseline.
    #[must_use]
    pub fn names_baseline(&self) -> bool {
        let sources = [&self.minimize, &self.maximize, &self.subject_to];
        sources
            .into_iter()
            .flatten()
            .any(|source| Expr::parse(source).is_ok_and(|expr| names_baseline(&expr)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Number,
    Condition,
}

fn names_baseline(expr: &Expr) -> bool {
    expr.names().iter().any(|name| name.starts_with(BASELINE))
}

/// Reads one expression and checks its names and its type, before there are values.
pub(crate) fn parse(source: &str, wanted: Wanted) -> Result<Expr, String> {
    let within = |error: sbt_engine::ExprError| format!("`{source}`: {error}");
    let expr = Expr::parse(source).map_err(within)?;
    let columns = CandidateRow::TABLE.columns;
    let of_baseline: Vec<String> = columns
        .iter()
        .map(|column| format!("{BASELINE}{}", column.name))
        .collect();
    let mut known: Vec<&str> = columns.iter().map(|column| column.name).collect();
    known.extend(of_baseline.iter().map(String::as_str));
    expr.check_names(&known).map_err(within)?;
    let sample = expr.eval(&|name| specimen(name)).map_err(within)?;
    match (wanted, sample) {
        (Wanted::Number, Cell::Number(_)) | (Wanted::Condition, Cell::Bool(_)) => Ok(expr),
        (_, Cell::Null) => Ok(expr),
        (Wanted::Number, Cell::Bool(_) | Cell::Text(_)) => Err(format!(
            "`{source}`: expected a number to make small or large"
        )),
        (Wanted::Condition, Cell::Number(_) | Cell::Text(_)) => Err(format!(
            "`{source}`: expected a condition such as `ttft_p95_s <= 1.0`"
        )),
    }
}

/// A value of a column's type.
fn specimen(name: &str) -> Option<Cell> {
    let column: &Column =
        CandidateRow::TABLE.column(name.strip_prefix(BASELINE).unwrap_or(name))?;
    Some(match column.kind {
        ColumnType::Bool => Cell::Bool(true),
        ColumnType::Int | ColumnType::UInt | ColumnType::Float => Cell::Number(1.0),
        ColumnType::Text => Cell::Text(String::new()),
        ColumnType::FloatList | ColumnType::UIntList => Cell::Null,
    })
}
