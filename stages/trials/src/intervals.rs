//! What trials may give, as a calibration leaves the coefficients open.

use sbt_engine::StageError;
use sbt_schemas::{CalibrationRow, IntervalRow, TrialRow};

use crate::posterior::draws_of;
use crate::{Trial, TrialRunner, TrialSpec, nearest_rank};

/// A metric of table `trials`.
type Metric = (&'static str, fn(&TrialRow) -> Option<f64>);

/// Metrics that have intervals.
const METRICS: [Metric; 13] = [
    ("ttft_mean_s", |row| row.ttft_mean_s),
    ("ttft_p50_s", |row| row.ttft_p50_s),
    ("ttft_p95_s", |row| row.ttft_p95_s),
    ("ttft_p99_s", |row| row.ttft_p99_s),
    ("tpot_mean_s", |row| row.tpot_mean_s),
    ("tpot_p50_s", |row| row.tpot_p50_s),
    ("tpot_p95_s", |row| row.tpot_p95_s),
    ("e2e_mean_s", |row| row.e2e_mean_s),
    ("e2e_p50_s", |row| row.e2e_p50_s),
    ("e2e_p95_s", |row| row.e2e_p95_s),
    ("tok_s", |row| row.tok_s),
    ("goodput_rps", |row| row.goodput_rps),
    ("slo_share", |row| row.slo_share),
];

/// Intervals of configurations, each of which was served `per_config` draws of the workload.
///
/// # Errors
/// When the run is being stopped.
pub(crate) fn intervals(
    runner: &mut TrialRunner<'_>,
    calibration: &[CalibrationRow],
    (draws, seed): (u64, u64),
    specs: &[TrialSpec],
    predicted: &[Trial],
    per_config: usize,
) -> Result<Vec<IntervalRow>, StageError> {
    let specs: Vec<TrialSpec> = specs
        .iter()
        .map(|spec| TrialSpec {
            keep_requests: false,
            ..spec.clone()
        })
        .collect();
    let mut drawn: Vec<Vec<Trial>> = Vec::new();
    let n = usize::try_from(draws).unwrap_or(usize::MAX);
    for coefficients in draws_of(calibration, n, seed) {
        runner.take_coefficients(coefficients);
        drawn.push(runner.run(&specs)?);
    }
    let mut rows = Vec::new();
    for (from, at) in predicted.chunks(per_config).zip((0..).step_by(per_config)) {
        let under: Vec<&TrialRow> = drawn
            .iter()
            .flat_map(|trials| &trials[at..at + from.len()])
            .map(|trial| &trial.row)
            .collect();
        if under.is_empty() {
            continue;
        }
        let most_likely: Vec<&TrialRow> = from.iter().map(|trial| &trial.row).collect();
        rows.extend(METRICS.map(|(metric, value)| {
            let values = sorted(&under, value);
            let centre = sorted(&most_likely, value);
            let at = |values: &Option<Vec<f64>>, q| nearest_rank(values.as_deref()?, q);
            IntervalRow {
                config_id: from[0].row.config_id.clone(),
                config_name: from[0].row.config_name.clone(),
                metric: metric.to_owned(),
                predicted: at(&centre, 0.5),
                lo: at(&values, 0.05),
                hi: at(&values, 0.95),
                posterior_draws: draws,
                trials: under.len() as u64,
            }
        }));
    }
    Ok(rows)
}

/// Values in order; none when a trial has none.
fn sorted(rows: &[&TrialRow], value: fn(&TrialRow) -> Option<f64>) -> Option<Vec<f64>> {
    let values = rows.iter().map(|row| value(row));
    let mut values = values.collect::<Option<Vec<f64>>>()?;
    values.sort_unstable_by(f64::total_cmp);
    Some(values)
}

#[cfg(test)]
mod tests {
    use sbt_schemas::Row;

    use super::*;

    #[test]
    fn every_metric_is_a_column_of_trials() {
        for (metric, _) in METRICS {
            assert!(TrialRow::TABLE.column(metric).is_some(), "{metric}");
        }
    }
}
