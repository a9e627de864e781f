use sbt_engine::StageError;
use sbt_schemas::{CandidateRow, RateCurveRow, TrialRow};
use sbt_statistics::median;

use crate::load::{Load, mean};
use crate::queueing::Variability;
use crate::replica::{Arrivals, Replica};

/// Rates of the curve, over the highest sustainable one.
const SHARES: [f64; 8] = [0.25, 0.5, 0.7, 0.85, 0.95, 1.0, 1.1, 1.25];

/// Latency of one replica over the offered rate.
pub(crate) fn rate_curve(
    replica: &Replica<'_>,
    candidate: &CandidateRow,
    draws: &[u64],
    full_scale: f64,
) -> Result<Vec<RateCurveRow>, StageError> {
    let mut rows = Vec::with_capacity(SHARES.len());
    let Some(first) = draws.first() else {
        return Ok(rows);
    };
    let variability = Variability::of(replica.workload, *first);
    let offered = Arrivals::of(replica.workload, *first).rps().unwrap_or(0.0);
    for share in SHARES {
        let rate_scale = full_scale * share;
        let at = replica.at(rate_scale, draws)?;
        let sustained = matches!(at.load, Load::Sustained { .. });
        let offered_rps = offered * rate_scale;
        let wait_s = wait(variability, &at.trials, offered_rps);
        rows.push(row(
            candidate,
            &at.trials,
            rate_scale,
            offered_rps,
            sustained,
            wait_s,
        ));
    }
    Ok(rows)
}

fn wait(variability: Variability, trials: &[TrialRow], offered_rps: f64) -> Option<f64> {
    let places = trials.first()?.max_num_seqs?;
    let ttft_s = mean(trials, |trial| trial.ttft_mean_s)?;
    let service_s = mean(trials, |trial| trial.e2e_mean_s)? - ttft_s;
    variability.wait_s(places, offered_rps, service_s)
}

fn row(
    candidate: &CandidateRow,
    trials: &[TrialRow],
    rate_scale: f64,
    offered_rps: f64,
    sustained: bool,
    queue_model_wait_s: Option<f64>,
) -> RateCurveRow {
    let e2e: Vec<f64> = trials.iter().filter_map(|trial| trial.e2e_p95_s).collect();
    let e2e = median(&e2e).filter(|median| median.n == trials.len());
    let bounds = e2e.and_then(|median| median.bounds);
    let middle = |metric: fn(&TrialRow) -> Option<f64>| {
        let values: Option<Vec<f64>> = trials.iter().map(metric).collect();
        median(&values?).map(|median| median.median)
    };
    RateCurveRow {
        config_id: candidate.config_id.clone(),
        config_name: candidate.config_name.clone(),
        rate_scale,
        offered_rps,
        rps: mean(trials, |trial| trial.rps),
        ttft_p50_s: middle(|trial| trial.ttft_p50_s),
        ttft_p95_s: middle(|trial| trial.ttft_p95_s),
        e2e_p50_s: middle(|trial| trial.e2e_p50_s),
        e2e_p95_s: e2e.map(|median| median.median),
        e2e_p95_lo_s: bounds.map(|(low, _)| low),
        e2e_p95_hi_s: bounds.map(|(_, high)| high),
        slo_share: mean(trials, |trial| trial.slo_share),
        sustained,
        queue_model_wait_s,
        n_draws: trials.len() as u64,
        provenance: candidate.provenance,
    }
}
