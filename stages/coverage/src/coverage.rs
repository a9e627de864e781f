use std::collections::BTreeMap;

use sbt_engine::{
    FileParam, Input, Output, ParamError, Stage, StageContext, StageError, StageKind, parse_params,
};
use sbt_schemas::{Outcome, Row, StudyCoverageRow, WorkloadRow};
use sbt_statistics::{median, paired};
use sbt_trials::{Config, TrialRunner, TrialSpec, backend_files};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::load::saturating_scale;
use crate::params::{CoverageParams, draws};
use crate::tally::{Subject, Tally};
use crate::truth::{LATENCIES, Seen, number, pooled};

/// Metrics whose median over draws, and whose change, is bounded.
const METRICS: [&str; 10] = [
    "ttft_p50_s",
    "ttft_p95_s",
    "ttft_p99_s",
    "tpot_p50_s",
    "tpot_p95_s",
    "e2e_p50_s",
    "e2e_p95_s",
    "e2e_p99_s",
    "tok_s",
    "goodput_rps",
];
const QUANTILES: [(&str, f64); 3] = [("p50", 0.50), ("p95", 0.95), ("p99", 0.99)];

/// The kind `coverage`.
pub struct CoverageKind;

impl StageKind for CoverageKind {
    fn name(&self) -> &'static str {
        "coverage"
    }

    fn about(&self) -> &'static str {
        "Measures how often the intervals of a report hold the true values, on the simulator"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> Schema {
        schema_for!(CoverageParams)
    }

    fn example(&self) -> &'static str {
        r#"loads = [0.5, 0.9]
backend = { kind = "simulator", server = "vllm", model = "llama-3.1-8b", gpu = "l40s", gpus = 1 }
baseline = { name = "baseline", max_num_seqs = 96 }
other = { name = "other", max_num_seqs = 64 }
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: CoverageParams = parse_params(with)?;
        let problems = params.problems();
        if problems.is_empty() {
            Ok(Box::new(Coverage { params }))
        } else {
            Err(problems)
        }
    }
}

struct Coverage {
    params: CoverageParams,
}

impl Stage for Coverage {
    fn inputs(&self) -> Vec<Input> {
        vec![Input::required("workload", &WorkloadRow::TABLE)]
    }

    fn files(&self) -> Vec<FileParam> {
        backend_files(&self.params.backend)
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::table(&StudyCoverageRow::TABLE)]
    }

    fn key_params(&self) -> Value {
        json!(self.params)
    }

    fn identity(&self) -> BTreeMap<String, String> {
        TrialRunner::identity(&self.params.backend)
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let CoverageParams {
            backend,
            protocol,
            baseline,
            other,
            loads,
            ..
        } = &self.params;
        let workload: Vec<WorkloadRow> = ctx.rows("workload")?;
        let draws = draws(&workload);
        let runner = TrialRunner::new(ctx, backend, protocol, &workload)?;
        let runner = runner.expecting((2 * draws.len() * loads.len()) as u64);
        let scale = saturating_scale(&runner, &workload, baseline, &draws)?;
        let mut rows = Vec::new();
        for load in loads {
            let at = |config| simulate(&runner, config, &draws, load * scale);
            let (before, after) = (at(baseline)?, at(other)?);
            rows.extend(of_trials(*load, &before));
            rows.extend(self.of_medians(*load, &before));
            rows.extend(self.of_changes(*load, &before, &after));
        }
        ctx.write_rows("study_coverage", &rows)
    }
}

fn simulate(
    runner: &TrialRunner<'_>,
    config: &Config,
    draws: &[u64],
    rate_scale: f64,
) -> Result<Vec<Seen>, StageError> {
    let specs = draws.iter().map(|draw| TrialSpec {
        rate_scale,
        keep_requests: true,
        ..TrialSpec::new(config.clone(), *draw)
    });
    runner.simulate(&specs.collect::<Vec<_>>(), Seen::of)
}

/// Percentiles as each trial bounds them; one without a steady state bounds none. The truth is the
/// percentile over the requests of all draws.
fn of_trials(load: f64, seen: &[Seen]) -> Vec<StudyCoverageRow> {
    let mut rows = Vec::new();
    for (place, latency) in LATENCIES.iter().enumerate() {
        for (name, quantile) in QUANTILES {
            let Some(truth) = pooled(seen, place, quantile) else {
                continue;
            };
            let metric = format!("{latency}_{name}_s");
            let bound = |seen: &Seen, end: &str| {
                let steady = seen.row.outcome == Outcome::Ok;
                number(&seen.row, &format!("{latency}_{name}_{end}_s")).filter(|_| steady)
            };
            let intervals = seen
                .iter()
                .map(|seen| bound(seen, "lo").zip(bound(seen, "hi")));
            rows.extend(
                Tally::of(truth, intervals).row(subject("trial", &metric, load, 1, seen), true),
            );
        }
    }
    rows
}

fn subject<'a>(
    interval: &'a str,
    metric: &'a str,
    load: f64,
    draws: u64,
    seen: &[Seen],
) -> Subject<'a> {
    Subject {
        interval,
        metric,
        load,
        draws,
        n_requests: seen.first().map_or(0, |seen| seen.row.n),
    }
}

impl Coverage {
    /// Medians over groups of draws. The truth is the median over all of them.
    fn of_medians(&self, load: f64, seen: &[Seen]) -> Vec<StudyCoverageRow> {
        let mut rows = Vec::new();
        for metric in METRICS {
            let values = seen.iter().map(|seen| number(&seen.row, metric));
            let values: Vec<f64> = values.flatten().collect();
            let Some(truth) = median(&values) else {
                continue;
            };
            for draws in &self.params.draws {
                let groups = values.chunks_exact(*draws as usize);
                let intervals = groups.map(|group| median(group)?.bounds);
                let subject = subject("median", metric, load, *draws, seen);
                rows.extend(Tally::of(truth.median, intervals).row(subject, true));
            }
        }
        rows
    }

    /// Changes over groups of draws. The truth is the change over all of them.
    fn of_changes(&self, load: f64, before: &[Seen], after: &[Seen]) -> Vec<StudyCoverageRow> {
        let mut rows = Vec::new();
        for metric in METRICS {
            let pairs = before.iter().zip(after);
            let pairs = pairs.map(|(b, a)| number(&b.row, metric).zip(number(&a.row, metric)));
            let pairs: Vec<(f64, f64)> = pairs.flatten().collect();
            let Some(truth) = paired(pairs.iter().copied()) else {
                continue;
            };
            for draws in &self.params.draws {
                let groups = pairs.chunks_exact(*draws as usize);
                let intervals = groups.map(|group| paired(group.iter().copied())?.bounds);
                let subject = subject("change", metric, load, *draws, before);
                rows.extend(Tally::of(truth.change, intervals).row(subject, false));
            }
        }
        rows
    }
}
