use sbt_schemas::{CandidateRow, Cell, Provenance, Row, StabilityRow, unit};
use sbt_statistics::{holm, mean, median, paired};
use sbt_trials::{Goals, Trial};

use crate::finalists::Finalist;

/// Metrics that the table compares, besides `quality`.
const METRICS: &[&str] = &[
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
    "slo_share",
    "timeout_rate",
    "error_rate",
    "tail_amp",
    "vram_peak_mb",
    "kv_peak",
    "cost_per_mtok",
    "cost_per_goodput_mtok",
];

/// Every metric of every finalist over the draws, the baseline first.
pub(crate) fn stability(
    finalists: &[Finalist],
    trials: &[Vec<Trial>],
    judged: &[CandidateRow],
    goals: &Goals,
) -> Vec<StabilityRow> {
    let mut rows = Vec::new();
    let of_finalists = finalists.iter().zip(trials).zip(judged).enumerate();
    for (i, ((finalist, trials_of), judged_row)) in of_finalists {
        for metric in METRICS {
            let reference = (i > 0).then_some(trials[0].as_slice());
            rows.extend(measured(metric, finalist, trials_of, reference));
        }
        let reference = judged.first().filter(|_| i > 0).and_then(|row| row.quality);
        let quality = judged_row.quality;
        rows.extend(quality.map(|score| inferred_quality(finalist, score, reference)));
    }
    let first = judged.iter().find(|row| row.recommended == Some(1));
    if let Some(first) = first {
        adjust(&mut rows, &first.config_id, &goals.compared());
    }
    rows
}

/// Adjusts the p-values of what the report claims: the recommendation's changes in some metrics.
fn adjust(rows: &mut [StabilityRow], recommended: &str, compared: &[&str]) {
    let claimed = rows
        .iter_mut()
        .filter(|row| row.config_id == recommended && compared.contains(&row.metric.as_str()));
    let mut claimed: Vec<&mut StabilityRow> = claimed.collect();
    let p: Vec<Option<f64>> = claimed.iter().map(|row| row.p).collect();
    for (row, adjusted) in claimed.iter_mut().zip(holm(&p)) {
        row.p_adjusted = adjusted;
    }
}

/// A metric over the draws that have it, and its change against the baseline, paired by draw.
fn measured(
    metric: &str,
    finalist: &Finalist,
    trials: &[Trial],
    reference: Option<&[Trial]>,
) -> Option<StabilityRow> {
    let values = trials.iter().map(|trial| number(&trial.row, metric));
    let values: Vec<Option<f64>> = values.collect();
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    let (value, bounds) = over_draws(metric, &known)?;
    let before = reference.into_iter().flatten();
    let before = before.map(|trial| number(&trial.row, metric));
    let change = paired(
        before
            .zip(&values)
            .filter_map(|(before, after)| before.zip(*after)),
    );
    let change_bounds = change.and_then(|change| change.bounds);
    Some(StabilityRow {
        config_id: finalist.config.id(),
        config_name: finalist.config.name.clone(),
        metric: metric.to_owned(),
        value,
        sd: mean(&known).and_then(|mean| mean.sd),
        lo: bounds.map(|(low, _)| low),
        hi: bounds.map(|(_, high)| high),
        unbounded: bounds
            .is_none()
            .then(|| "one draw shows no spread".to_owned()),
        n_seeds: known.len() as u64,
        search_value: number(&finalist.seen, metric),
        delta: change.map(|change| change.change),
        delta_lo: change_bounds.map(|(low, _)| low),
        delta_hi: change_bounds.map(|(_, high)| high),
        p: change.map(|change| change.p),
        p_adjusted: None,
        no_larger_than: change.and_then(|change| change.no_larger_than()),
        provenance: trials.first()?.row.provenance,
    })
}

/// A figure over draws with its bounds: the median, or the mean of a share, which is often 0 in
/// most draws.
fn over_draws(metric: &str, values: &[f64]) -> Option<(f64, Option<(f64, f64)>)> {
    if unit(metric) == Some("fraction") {
        return mean(values).map(|mean| (mean.mean, mean.bounds));
    }
    median(values).map(|median| (median.median, median.bounds))
}

/// Quality is not measured by the trials: it has no seeds and no interval over them.
fn inferred_quality(finalist: &Finalist, score: f64, reference: Option<f64>) -> StabilityRow {
    StabilityRow {
        config_id: finalist.config.id(),
        config_name: finalist.config.name.clone(),
        metric: "quality".to_owned(),
        value: score,
        sd: None,
        lo: None,
        hi: None,
        unbounded: Some("inferred, not measured".to_owned()),
        n_seeds: 0,
        search_value: finalist.seen.quality,
        delta: reference
            .filter(|v| *v > 0.0)
            .map(|reference| score / reference - 1.0),
        delta_lo: None,
        delta_hi: None,
        p: None,
        p_adjusted: None,
        no_larger_than: None,
        provenance: Provenance::Inferred,
    }
}

fn number<R: Row>(row: &R, metric: &str) -> Option<f64> {
    match row.cell(metric)? {
        Cell::Number(value) => Some(value),
        Cell::Null | Cell::Bool(_) | Cell::Text(_) => None,
    }
}
