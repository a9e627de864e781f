//! What an earlier run left: a folder of results, or the `summary.json` of one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sbt_engine::{Digest, Table};
use sbt_schemas::{
    CandidateRow, Cell, Latency, Measurement, Outcome, Provenance, Row, Summary, TrialRow,
};

/// A value of one trial, with the 95 % bounds that the trial itself gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Value {
    pub(crate) value: f64,
    pub(crate) bounds: Option<(f64, f64)>,
}

/// One side of a comparison: what one configuration did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Side {
    pub(crate) config_name: String,
    pub(crate) provenance: Provenance,
    /// The workload that was served; none when only its results are known.
    pub(crate) workload: Option<Digest>,
    /// Values by metric and draw. A mean over draws that stands alone has draw 0.
    pub(crate) values: BTreeMap<String, BTreeMap<u64, Value>>,
    /// Trials that did not end `ok`, with why.
    pub(crate) failures: Vec<String>,
}

/// Which part of the results is meant.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Choice<'a> {
    /// Stage whose trials count; empty: `stability` if there is one, else the only one with trials.
    pub(crate) stage: &'a str,
    /// Name of the configuration; empty: the recommended one, else the only one.
    pub(crate) config: &'a str,
}

/// Tells a committed summary from a folder.
pub(crate) fn is_summary(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("json"))
}

impl Side {
    /// Reads a folder of results, or a summary.
    ///
    /// # Errors
    /// Says what is missing or ambiguous, and what would help.
    pub(crate) fn read(path: &Path, choice: Choice<'_>) -> Result<Self, String> {
        if path.is_dir() {
            return Self::of_folder(path, choice);
        }
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let summary: Summary = serde_json::from_str(&text)
            .map_err(|error| format!("it is no summary.json of sbt: {error}"))?;
        Self::of_summary(&summary, choice.config)
    }

    fn of_folder(folder: &Path, choice: Choice<'_>) -> Result<Self, String> {
        let tables = folder.join("tables");
        let stage = stage_with_trials(&tables, choice.stage)?;
        let trials: Vec<TrialRow> = rows(&tables, &stage, "trials")?;
        let candidates: Vec<CandidateRow> = rows(&tables, &stage, "candidates").unwrap_or_default();
        let config = chosen(&trials, &candidates, choice.config)?;
        let candidate = candidates.iter().find(|row| row.config_id == config);
        let trials = trials.into_iter().filter(|row| row.config_id == config);
        let mut side = Self::of_trials(&trials.collect::<Vec<_>>());
        side.workload = fs::read(tables.join("workload.workload.parquet"))
            .ok()
            .map(|bytes| Digest::of(&bytes));
        if let Some(quality) = candidate.and_then(|row| row.quality) {
            side.one("quality", quality);
        }
        Ok(side)
    }

    fn of_trials(trials: &[TrialRow]) -> Self {
        let mut side = Self::empty(trials.first().map(|row| row.config_name.as_str()));
        for row in trials {
            side.provenance = row.provenance;
            if row.outcome != Outcome::Ok {
                let why = row.reason.as_deref().unwrap_or("no reason is given");
                side.failures
                    .push(format!("draw {}: {}, {why}", row.draw, row.outcome));
            }
            for column in TrialRow::TABLE.columns {
                let number = |name: &str| match row.cell(name) {
                    Some(Cell::Number(value)) => Some(value),
                    Some(Cell::Null | Cell::Bool(_) | Cell::Text(_)) | None => None,
                };
                let Some(value) = number(column.name) else {
                    continue;
                };
                let bound = |end: &str| number(&bound_name(column.name, end)?);
                let value = Value {
                    value,
                    bounds: bound("lo").zip(bound("hi")),
                };
                side.put(column.name, row.draw, value);
            }
        }
        side
    }

    fn of_summary(summary: &Summary, config: &str) -> Result<Self, String> {
        if let Some(recommended) = &summary.recommended
            && (config.is_empty() || config == recommended.config_name)
        {
            let mut side = Self::empty(Some(&recommended.config_name));
            side.provenance = summary.provenance;
            for effect in &summary.effects {
                side.one(&effect.metric, effect.recommended);
            }
            return Ok(side);
        }
        let measured = summary.measurements.iter();
        let measured: Vec<&Measurement> = measured
            .filter(|row| config.is_empty() || row.config_name == config)
            .collect();
        let names = measured.iter().map(|row| row.config_name.as_str());
        let name = only(names, "`config` names one of them")?;
        let mut side = Self::empty(Some(&name));
        for row in measured {
            side.provenance = row.provenance;
            side.measurement(row);
        }
        Ok(side)
    }

    fn measurement(&mut self, row: &Measurement) {
        if row.outcome != Outcome::Ok {
            let why = row.reason.as_deref().unwrap_or("no reason is given");
            self.failures
                .push(format!("draw {}: {}, {why}", row.draw, row.outcome));
        }
        for (name, latency) in [("ttft", row.ttft), ("tpot", row.tpot), ("e2e", row.e2e)] {
            let Latency { p50, p95, p99 } = latency;
            for (percentile, estimate) in [("p50", p50), ("p95", p95), ("p99", p99)] {
                if let Some(value) = estimate.value_s {
                    let bounds = estimate.lo_s.zip(estimate.hi_s);
                    let metric = format!("{name}_{percentile}_s");
                    self.put(&metric, row.draw, Value { value, bounds });
                }
            }
        }
        let rates = [
            ("tok_s", row.tok_s),
            ("rps", row.rps),
            ("goodput_rps", row.goodput_rps),
            ("slo_share", row.slo_share),
        ];
        for (metric, value) in rates {
            if let Some(value) = value {
                let bounds = None;
                self.put(metric, row.draw, Value { value, bounds });
            }
        }
    }

    fn empty(config_name: Option<&str>) -> Self {
        Self {
            config_name: config_name.unwrap_or_default().to_owned(),
            provenance: Provenance::Inferred,
            workload: None,
            values: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    fn one(&mut self, metric: &str, value: f64) {
        let bounds = None;
        self.put(metric, 0, Value { value, bounds });
    }

    fn put(&mut self, metric: &str, draw: u64, value: Value) {
        let draws = self.values.entry(metric.to_owned()).or_default();
        draws.insert(draw, value);
    }
}

/// Column with a bound of another: `ttft_p95_lo_s` of `ttft_p95_s`.
fn bound_name(column: &str, end: &str) -> Option<String> {
    let stem = column.strip_suffix("_s")?;
    Some(format!("{stem}_{end}_s"))
}

fn rows<R: Row>(tables: &Path, stage: &str, table: &str) -> Result<Vec<R>, String> {
    let path = tables.join(format!("{stage}.{table}.parquet"));
    let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let table = Table::from_parquet(bytes).and_then(|table| table.rows());
    table.map_err(|error| format!("{}: {error}", path.display()))
}

fn stage_with_trials(tables: &Path, wanted: &str) -> Result<String, String> {
    const ENDING: &str = ".trials.parquet";
    let entries = fs::read_dir(tables).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut stages: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(ENDING)?.to_owned()))
        .collect();
    stages.sort();
    if stages.is_empty() {
        return Err(format!(
            "no stage of it left trials: {} has no file *{ENDING}",
            tables.display()
        ));
    }
    let first = if wanted.is_empty() {
        "stability"
    } else {
        wanted
    };
    if stages.iter().any(|stage| stage == first) {
        return Ok(first.to_owned());
    }
    if !wanted.is_empty() {
        return Err(format!(
            "stage `{wanted}` left no trials; there are: {}",
            stages.join(", ")
        ));
    }
    only(
        stages.iter().map(String::as_str),
        "`stage` names one of them",
    )
}

fn chosen(
    trials: &[TrialRow],
    candidates: &[CandidateRow],
    wanted: &str,
) -> Result<String, String> {
    if !wanted.is_empty() {
        let found = trials.iter().find(|row| row.config_name == wanted);
        let found = found.map(|row| row.config_id.clone());
        return found.ok_or_else(|| format!("no trial is of a configuration `{wanted}`"));
    }
    let first = candidates.iter().find(|row| row.recommended == Some(1));
    if let Some(first) = first {
        return Ok(first.config_id.clone());
    }
    let name = only(
        trials.iter().map(|row| row.config_name.as_str()),
        "nothing is recommended; `config` names one of them",
    )?;
    let found = trials.iter().find(|row| row.config_name == name);
    Ok(found.map(|row| row.config_id.clone()).unwrap_or_default())
}

/// The one that all are.
fn only<'a>(names: impl Iterator<Item = &'a str>, help: &str) -> Result<String, String> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    match names[..] {
        [name] => Ok(name.to_owned()),
        [] => Err("it has no trial".to_owned()),
        _ => Err(format!("it has {}: {help}", names.join(", "))),
    }
}
