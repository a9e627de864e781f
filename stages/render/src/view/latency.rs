use sbt_schemas::{Cell, Estimate, Latency, Row as _, TrialRow};
use serde::Serialize;

use crate::format::{self, NOTHING};

/// Statistics of a latency, in the order of the table's columns.
const STATISTICS: [&str; 5] = ["mean", "p50", "p90", "p95", "p99"];
/// Fewer requests than this have no 99th percentile of their own: it is their maximum.
const P99_FROM: u64 = 100;

/// One latency of a trial.
#[derive(Debug, Serialize)]
pub(crate) struct LatencyView {
    pub(crate) name: String,
    /// In the order mean, p50, p90, p95, p99.
    pub(crate) values: Vec<ValueView>,
}

/// One statistic of a latency.
#[derive(Debug, Serialize)]
pub(crate) struct ValueView {
    pub(crate) value: String,
    /// Empty where there is none.
    pub(crate) interval: String,
    /// Whether it stands on too few requests.
    pub(crate) weak: bool,
}

/// What is known of a latency of table `trials`: `ttft`, `tpot` or `e2e`.
pub(crate) fn latency(trial: &TrialRow, metric: &str) -> Latency {
    Latency {
        p50: estimate(trial, metric, "p50"),
        p95: estimate(trial, metric, "p95"),
        p99: estimate(trial, metric, "p99"),
    }
}

/// The table of latencies. Where requests failed, the finished ones stand below.
pub(crate) fn latencies(trial: &TrialRow) -> Vec<LatencyView> {
    let mut views = Vec::new();
    for (metric, name) in [
        ("ttft", "TTFT"),
        ("tpot", "TPOT"),
        ("itl", "ITL"),
        ("e2e", "E2E"),
    ] {
        views.push(with_failures(trial, metric, name));
        if has_failures(trial) {
            views.extend(plain(
                trial,
                &format!("{metric}_ok"),
                &format!("{name}, finished only"),
            ));
        }
        if metric == "ttft" {
            views.extend(plain(trial, "ttft_from_sent", "TTFT from the send"));
        }
    }
    views
}

/// What the marks of the table mean, as far as it has them.
pub(crate) fn notes(trial: &TrialRow) -> Vec<String> {
    let views = latencies(trial);
    let has = |mark: fn(&ValueView) -> bool| views.iter().flat_map(|view| &view.values).any(mark);
    let marks = [
        (
            has(|value| value.value.starts_with('>')),
            "> value: failed requests reach this percentile, and count as infinitely slow; the \
             value is that of the finished ones.",
        ),
        (
            has(|value| value.weak),
            "*: fewer than 100 requests stand behind this 99th percentile, too few for one.",
        ),
    ];
    let notes = marks.into_iter().filter(|(shown, _)| *shown);
    notes.map(|(_, text)| text.to_owned()).collect()
}

fn has_failures(trial: &TrialRow) -> bool {
    trial.n_ok + trial.n_short < trial.n
}

fn with_failures(trial: &TrialRow, metric: &str, name: &str) -> LatencyView {
    let values = STATISTICS.iter().map(|statistic| {
        let estimate = estimate(trial, metric, statistic);
        ValueView {
            value: match (estimate.value_s, estimate.finished_s) {
                (Some(value), _) => format::seconds(value),
                (None, Some(finished)) => format!("> {}", format::seconds(finished)),
                (None, None) => NOTHING.to_owned(),
            },
            interval: bounds(&estimate),
            // Of gaps between tokens there are many more than requests.
            weak: *statistic == "p99"
                && metric != "itl"
                && estimate.finished_s.is_some()
                && trial.n - trial.n_short < P99_FROM,
        }
    });
    LatencyView {
        name: name.to_owned(),
        values: values.collect(),
    }
}

/// A latency without intervals; none when the trial has no value of it.
fn plain(trial: &TrialRow, metric: &str, name: &str) -> Option<LatencyView> {
    let values = STATISTICS.map(|statistic| number(trial, &format!("{metric}_{statistic}_s")));
    let known = values.iter().any(Option::is_some);
    known.then(|| LatencyView {
        name: name.to_owned(),
        values: values
            .into_iter()
            .map(|value| ValueView {
                value: value.map_or(NOTHING.to_owned(), format::seconds),
                interval: String::new(),
                weak: false,
            })
            .collect(),
    })
}

fn estimate(trial: &TrialRow, metric: &str, statistic: &str) -> Estimate {
    Estimate {
        value_s: number(trial, &format!("{metric}_{statistic}_s")),
        lo_s: number(trial, &format!("{metric}_{statistic}_lo_s")),
        hi_s: number(trial, &format!("{metric}_{statistic}_hi_s")),
        finished_s: number(trial, &format!("{metric}_ok_{statistic}_s")),
    }
}

fn bounds(estimate: &Estimate) -> String {
    match (estimate.lo_s, estimate.hi_s) {
        (Some(lo), Some(hi)) => format!("{} to {}", format::seconds(lo), format::seconds(hi)),
        (Some(lo), None) => format!("{} or more", format::seconds(lo)),
        (None, Some(hi)) => format!("{} or less", format::seconds(hi)),
        (None, None) => String::new(),
    }
}

fn number(trial: &TrialRow, column: &str) -> Option<f64> {
    match trial.cell(column) {
        Some(Cell::Number(value)) => Some(value),
        Some(Cell::Text(_) | Cell::Bool(_) | Cell::Null) | None => None,
    }
}
