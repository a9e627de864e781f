use sbt_schemas::{Cell, FidelityRow, Outcome, Row as _, TrialRow};

/// Latencies that are compared.
const LATENCIES: [&str; 3] = ["ttft", "tpot", "e2e"];
const STATISTICS: [&str; 5] = ["mean", "p50", "p90", "p95", "p99"];
/// Whole metrics that are compared.
const WHOLE: [&str; 4] = ["tok_s", "rps", "goodput_rps", "slo_share"];
/// Where the step times of the simulator come from.
const SOURCE: &str = "analytic";

/// Trials of one configuration on both sides, draw by draw.
pub(crate) struct Pair {
    pub(crate) simulated: Vec<TrialRow>,
    pub(crate) measured: Vec<TrialRow>,
}

/// What both sides say about a configuration, metric by metric. A value that one side does not
/// have leaves the error null.
pub(crate) fn fidelity(pair: &Pair) -> Vec<FidelityRow> {
    let latencies = LATENCIES.iter().flat_map(|metric| {
        let of_metric = STATISTICS.iter();
        of_metric.map(move |statistic| (*metric, *statistic, format!("{metric}_{statistic}_s")))
    });
    let whole = WHOLE
        .iter()
        .map(|metric| (*metric, "value", (*metric).to_owned()));
    latencies
        .chain(whole)
        .map(|(metric, statistic, column)| row(pair, metric, statistic, &column))
        .collect()
}

fn row(pair: &Pair, metric: &str, statistic: &str, column: &str) -> FidelityRow {
    let simulated = mean(&pair.simulated, column);
    let measured = mean(&pair.measured, column);
    let error = match (simulated, measured) {
        (Some(simulated), Some(measured)) if measured != 0.0 => Some(simulated / measured - 1.0),
        _ => None,
    };
    let named = &pair.measured[0];
    FidelityRow {
        config_id: named.config_id.clone(),
        config_name: named.config_name.clone(),
        metric: metric.to_owned(),
        statistic: statistic.to_owned(),
        source: SOURCE.to_owned(),
        simulated,
        measured,
        error,
        n: pair.measured.iter().map(|trial| trial.n_ok).sum(),
    }
}

/// Mean of a column over the draws; none when a draw lacks it or has no valid trial.
pub(crate) fn mean(trials: &[TrialRow], column: &str) -> Option<f64> {
    let values = trials.iter().map(|trial| match trial.cell(column) {
        Some(Cell::Number(value)) if trial.outcome == Outcome::Ok => Some(value),
        _ => None,
    });
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
