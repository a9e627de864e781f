use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use sbt_engine::{RunLog, StageDifference, Store, compare_runs, result_file};
use sbt_schemas::Summary;
use serde::Serialize;
use serde_json::{Value, json};

use crate::arguments::DiffArgs;
use crate::commands::stored::{open_log, open_store};
use crate::failure::Failure;
use crate::terminal::grid::grid;
use crate::terminal::number::{percent, short};

/// A knob of the recommendation that differs; null where it is not set.
#[derive(Serialize)]
struct KnobDifference {
    knob: String,
    before: Value,
    after: Value,
}

/// A metric of the recommendation, or of a measured configuration.
#[derive(Serialize)]
struct MetricDifference {
    config: String,
    metric: String,
    before: Option<f64>,
    after: Option<f64>,
    /// after / before - 1.
    change: Option<f64>,
}

pub(crate) fn diff(arguments: &DiffArgs, store: &Path) -> Result<(), Failure> {
    let store = open_store(store)?;
    let log = open_log(&store);
    let find = |run: &str| log.find(run).map_err(Failure::usage);
    let runs = [find(&arguments.before)?.run, find(&arguments.after)?.run];
    let stages = compare_runs(&log, &store, &runs[0], &runs[1]);
    let [before, after] = runs.map(|run| summary(&log, &store, &run));
    let knobs = knobs(before.as_ref(), after.as_ref());
    let metrics = metrics(before.as_ref(), after.as_ref());
    if arguments.json {
        let all = json!({ "stages": stages, "knobs": knobs, "metrics": metrics });
        writeln!(io::stdout(), "{all:#}")?;
        return Ok(());
    }
    io::stdout().write_all(text(&stages, &knobs, metrics).as_bytes())?;
    Ok(())
}

fn summary(log: &RunLog, store: &Store, run: &str) -> Option<Summary> {
    serde_json::from_slice(&result_file(log, store, run, "summary.json")?).ok()
}

fn knobs(before: Option<&Summary>, after: Option<&Summary>) -> Vec<KnobDifference> {
    let of = |summary: Option<&Summary>| -> BTreeMap<String, Value> {
        let recommended = summary.and_then(|summary| summary.recommended.clone());
        recommended.map(|found| found.knobs).unwrap_or_default()
    };
    let (before, after) = (of(before), of(after));
    let names = before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)));
    let differences = names.filter(|name| before.get(*name) != after.get(*name));
    let value = |knobs: &BTreeMap<String, Value>, name: &str| {
        knobs.get(name).cloned().unwrap_or(Value::Null)
    };
    differences
        .map(|name| KnobDifference {
            knob: name.clone(),
            before: value(&before, name),
            after: value(&after, name),
        })
        .collect()
}

/// Values of a summary by configuration, draw and metric: those of what it recommends as `recommended`.
fn values(summary: Option<&Summary>) -> BTreeMap<(String, String), f64> {
    let mut values = BTreeMap::new();
    let Some(summary) = summary else {
        return values;
    };
    for effect in &summary.effects {
        let key = ("recommended".to_owned(), effect.metric.clone());
        values.insert(key, effect.recommended);
    }
    for trial in &summary.measurements {
        let config = format!("{} draw {}", trial.config_name, trial.draw);
        let metrics = [
            ("ttft_p50_s", trial.ttft.p50.value_s),
            ("ttft_p95_s", trial.ttft.p95.value_s),
            ("tpot_p50_s", trial.tpot.p50.value_s),
            ("e2e_p50_s", trial.e2e.p50.value_s),
            ("e2e_p95_s", trial.e2e.p95.value_s),
            ("tok_s", trial.tok_s),
            ("goodput_rps", trial.goodput_rps),
            ("slo_share", trial.slo_share),
        ];
        for (metric, value) in metrics {
            let key = (config.clone(), metric.to_owned());
            values.extend(value.map(|value| (key, value)));
        }
    }
    values
}

fn metrics(before: Option<&Summary>, after: Option<&Summary>) -> Vec<MetricDifference> {
    let (before, after) = (values(before), values(after));
    let keys = before
        .keys()
        .chain(after.keys().filter(|key| !before.contains_key(*key)));
    let differences = keys.filter(|key| before.get(*key) != after.get(*key));
    differences
        .map(|key| {
            let (before, after) = (before.get(key).copied(), after.get(key).copied());
            let both = before.zip(after).filter(|(before, _)| *before > 0.0);
            MetricDifference {
                config: key.0.clone(),
                metric: key.1.clone(),
                before,
                after,
                change: both.map(|(before, after)| after / before - 1.0),
            }
        })
        .collect()
}

fn text(
    stages: &[StageDifference],
    knobs: &[KnobDifference],
    metrics: Vec<MetricDifference>,
) -> String {
    let mut out = String::new();
    if stages.is_empty() {
        out.push_str("every stage has the same key\n");
    }
    for difference in stages {
        out.push_str(&format!("{}: {}\n", difference.stage, difference.what));
        for component in &difference.components {
            out.push_str(&format!("    {component}\n"));
        }
    }
    if !knobs.is_empty() {
        out.push_str("\nthe recommendation sets:\n");
    }
    for difference in knobs {
        let KnobDifference {
            knob,
            before,
            after,
        } = difference;
        out.push_str(&format!("    {knob} {before} -> {after}\n"));
    }
    if !metrics.is_empty() {
        let known = |value: Option<f64>| value.map_or("-".to_owned(), short);
        let rows = metrics.into_iter().map(|row| {
            let change = row.change.map_or(String::new(), percent);
            vec![
                row.config,
                row.metric,
                known(row.before),
                known(row.after),
                change,
            ]
        });
        let head = ["configuration", "metric", "before", "after", "change"];
        out.push_str(&format!("\n{}\n", grid(&head, rows.collect())));
    }
    out
}
