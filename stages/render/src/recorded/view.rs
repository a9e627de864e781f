use std::collections::BTreeSet;

use sbt_schemas::{FidelityRow, FidelitySummary};
use serde::Serialize;

use super::Tables;
use crate::format::{self, NOTHING};

/// Everything that the report shows, as text.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    title: String,
    pipeline: String,
    run: String,
    sources: Vec<String>,
    /// Requests behind every error.
    n: String,
    /// Requests that the calibration has seen; empty without one.
    calibrated_on: String,
    errors: Vec<ErrorView>,
    coverage: Vec<CoverageView>,
    terms: Vec<TermView>,
}

/// One statistic, as it was measured and as each source has it.
#[derive(Debug, Serialize)]
struct ErrorView {
    metric: String,
    measured: String,
    cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Cell {
    simulated: String,
    error: String,
}

/// How many measured values lie within their intervals.
#[derive(Debug, Serialize)]
struct CoverageView {
    source: String,
    metric: String,
    nominal: String,
    held: String,
    n: String,
}

/// What is known of a term of the step time.
#[derive(Debug, Serialize)]
struct TermView {
    term: String,
    coefficient: String,
    interval: String,
    identified: &'static str,
}

impl View {
    pub(crate) fn new(pipeline: &str, title: &str, tables: &Tables) -> Self {
        let sources = sources(&tables.fidelity);
        let n: BTreeSet<u64> = tables.fidelity.iter().map(|row| row.n).collect();
        let n: Vec<String> = n.into_iter().map(format::count).collect();
        let calibrated = tables.calibration.first().map(|row| row.n);
        Self {
            title: title.to_owned(),
            pipeline: pipeline.to_owned(),
            run: run_name(tables),
            n: n.join(" to "),
            calibrated_on: calibrated.map_or(String::new(), format::count),
            errors: errors(&tables.fidelity, &sources),
            coverage: coverage(&tables.fidelity),
            terms: terms(tables),
            sources,
        }
    }
}

/// What was run, on what.
pub(crate) fn run_name(tables: &Tables) -> String {
    let row = tables.fidelity.first();
    row.map_or(String::new(), |row| row.config_name.clone())
}

/// Sources in the order of the table.
fn sources(rows: &[FidelityRow]) -> Vec<String> {
    let mut sources: Vec<String> = Vec::new();
    for row in rows {
        if !sources.contains(&row.source) {
            sources.push(row.source.clone());
        }
    }
    sources
}

fn errors(rows: &[FidelityRow], sources: &[String]) -> Vec<ErrorView> {
    let Some(first) = sources.first() else {
        return Vec::new();
    };
    let leading = rows
        .iter()
        .filter(|row| row.source == *first && !is_coverage(row));
    let views = leading.map(|leading| {
        let cells = sources.iter().map(|source| {
            let same = |row: &&FidelityRow| {
                row.source == *source
                    && row.metric == leading.metric
                    && row.statistic == leading.statistic
            };
            let row = rows.iter().find(same);
            Cell {
                simulated: value(row.and_then(|row| row.simulated)),
                error: row
                    .and_then(|row| row.error)
                    .map_or(NOTHING.to_owned(), |e| error(&leading.statistic, e)),
            }
        });
        ErrorView {
            metric: format!("{} {}", leading.metric.to_uppercase(), leading.statistic),
            measured: value(leading.measured),
            cells: cells.collect(),
        }
    });
    views.collect()
}

/// A mean of sizes has no sign.
fn error(statistic: &str, error: f64) -> String {
    if statistic == "mape" {
        format::share(error)
    } else {
        format::percent(error)
    }
}

/// The figures of each source that matter most.
pub(crate) fn summaries(rows: &[FidelityRow]) -> Vec<FidelitySummary> {
    let of_source = |source: String| {
        let find = |metric: &str, statistic: &str| {
            rows.iter().find(|row| {
                row.source == source && row.metric == metric && row.statistic == statistic
            })
        };
        let error = |metric, statistic| find(metric, statistic).and_then(|row| row.error);
        FidelitySummary {
            mean_errors: ["ttft", "tpot", "e2e"].map(|metric| error(metric, "mean")),
            e2e_mape: error("e2e", "mape"),
            ttft_coverage_90: find("ttft", "coverage_90").and_then(|row| row.measured),
            n: find("ttft", "mean").map_or(0, |row| row.n),
            source,
        }
    };
    sources(rows).into_iter().map(of_source).collect()
}

fn value(seconds: Option<f64>) -> String {
    seconds.map_or(NOTHING.to_owned(), format::seconds)
}

fn is_coverage(row: &FidelityRow) -> bool {
    row.statistic.starts_with("coverage")
}

fn coverage(rows: &[FidelityRow]) -> Vec<CoverageView> {
    let share = |share: Option<f64>| share.map_or(NOTHING.to_owned(), format::share);
    let rows = rows.iter().filter(|row| is_coverage(row));
    rows.map(|row| CoverageView {
        source: row.source.clone(),
        metric: row.metric.to_uppercase(),
        nominal: share(row.simulated),
        held: share(row.measured),
        n: format::count(row.n),
    })
    .collect()
}

fn terms(tables: &Tables) -> Vec<TermView> {
    /// 97.5 % quantile of the normal distribution.
    const QUANTILE: f64 = 1.96;
    let rows = tables.calibration.iter().map(|row| {
        let reach = QUANTILE * row.log_sd;
        let (low, high) = ((row.log_mean - reach).exp(), (row.log_mean + reach).exp());
        TermView {
            term: row.term.clone(),
            coefficient: format::digits(row.coefficient),
            interval: format!("{} to {}", format::digits(low), format::digits(high)),
            identified: if row.identified { "yes" } else { "no" },
        }
    });
    rows.collect()
}
