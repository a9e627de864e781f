use sbt_schemas::{Cell, Phase, RequestRow, Row, TrialRow};
use sbt_trials::{Trial, nearest_rank};

/// Latencies whose percentiles a trial bounds.
pub(crate) const LATENCIES: [&str; 3] = ["ttft", "tpot", "e2e"];

/// What a study keeps of a trial.
pub(crate) struct Seen {
    pub(crate) row: TrialRow,
    /// Latencies of the measured requests that finished, in the order of [`LATENCIES`].
    latencies: [Vec<f64>; LATENCIES.len()],
}

impl Seen {
    pub(crate) fn of(trial: Trial) -> Self {
        let latencies: [fn(&RequestRow) -> Option<f64>; LATENCIES.len()] =
            [|r| r.ttft_s, |r| r.tpot_s, |r| r.e2e_s];
        let measured = trial.requests.iter().filter(|r| r.phase == Phase::Measure);
        let measured: Vec<&RequestRow> = measured.collect();
        Self {
            latencies: latencies.map(|of| measured.iter().filter_map(|r| of(r)).collect()),
            row: trial.row,
        }
    }
}

/// A number of a trial.
pub(crate) fn number(row: &TrialRow, metric: &str) -> Option<f64> {
    match row.cell(metric)? {
        Cell::Number(value) => Some(value),
        Cell::Null | Cell::Bool(_) | Cell::Text(_) => None,
    }
}

/// The percentile of one latency over the requests of all trials.
pub(crate) fn pooled(seen: &[Seen], latency: usize, quantile: f64) -> Option<f64> {
    let of_trials = seen.iter().flat_map(|seen| &seen.latencies[latency]);
    let mut values: Vec<f64> = of_trials.copied().collect();
    values.sort_by(f64::total_cmp);
    nearest_rank(&values, quantile)
}
