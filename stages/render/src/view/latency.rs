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
            let only = if has_failures(trial) {
                ", finished only"
            } else {
                ""
            };
            let name = format!("TTFT from the send{only}");
            views.extend(plain(trial, "ttft_from_sent", &name));
        }
    }
    views
}

/// What the marks of the table mean, as far as it has them.
pub(crate) fn notes(trial: &TrialRow) -> Vec<String> {
    let views = latencies(trial);
    let values = || views.iter().flat_map(|view| &view.values);
    let marks = [
        (
            has_failures(trial) && values().any(|value| value.value.starts_with('>')),
            "Failed requests count as infinitely slow. Where they reach a percentile it has no \
             value: “> x” gives that of the finished requests alone, “–” where none is kept.",
        ),
        (
            values().any(|value| value.weak),
            "* Fewer than 100 requests stand behind this 99th percentile, too few for one.",
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples::trial;

    fn cells(trial: &TrialRow, name: &str) -> Vec<String> {
        let views = latencies(trial);
        let view = views.iter().find(|view| view.name == name);
        let view = view.unwrap_or_else(|| panic!("no row `{name}`"));
        view.values.iter().map(|cell| cell.value.clone()).collect()
    }

    #[test]
    fn percentiles_that_failures_reach_give_the_finished_ones_and_say_why() {
        let trial = trial(&json!({ "ttft_mean_s": 0.02, "ttft_p95_s": 0.05 }));
        let ttft = cells(&trial, "TTFT");
        assert_eq!(
            ttft,
            ["20.0 ms", "12.3 ms", NOTHING, "50.0 ms", "> 0.210 s"]
        );
        let finished = cells(&trial, "TTFT, finished only");
        assert_eq!(finished[1..], ["12.0 ms", NOTHING, "45.0 ms", "0.210 s"]);
        let sent = cells(&trial, "TTFT from the send, finished only");
        assert_eq!(sent[1..], ["11.5 ms", NOTHING, "44.0 ms", NOTHING]);
        assert_eq!(notes(&trial).len(), 1);
        assert!(notes(&trial)[0].contains("infinitely slow"));
    }

    #[test]
    fn nothing_is_said_of_failures_where_none_are() {
        let trial = trial(&json!({ "n_ok": 190, "n_short": 10, "ttft_p99_s": 0.3 }));
        let names: Vec<String> = latencies(&trial)
            .into_iter()
            .map(|view| view.name)
            .collect();
        assert_eq!(names, ["TTFT", "TTFT from the send", "TPOT", "ITL", "E2E"]);
        assert!(notes(&trial).is_empty());
    }

    #[test]
    fn p99_of_fewer_than_100_requests_is_weak() {
        let p99 = |n: u64| {
            let trial = trial(&json!({ "n": n, "n_ok": n, "ttft_p99_s": 0.3 }));
            let weak = latencies(&trial)[0].values[4].weak;
            (weak, notes(&trial).len())
        };
        assert_eq!(p99(99), (true, 1));
        assert_eq!(p99(100), (false, 0));
    }

    #[test]
    fn intervals_may_be_open_above() {
        let trial = trial(&json!({ "e2e_p95_s": 2.0, "e2e_p95_lo_s": 1.5 }));
        let e2e = latencies(&trial);
        let e2e = e2e.iter().find(|view| view.name == "E2E").unwrap();
        assert_eq!(e2e.values[3].interval, "1.50 s or more");
        assert_eq!(
            latencies(&trial)[0].values[1].interval,
            "11.9 ms to 12.8 ms"
        );
    }
}
