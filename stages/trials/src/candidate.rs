use sbt_schemas::{CandidateRow, Outcome, Provenance, TrialRow};

/// One candidate from the trials of one configuration: medians over trials, and means of shares; a
/// metric that any trial lacks is null; the outcome is the worst one, and unless it is `ok` there
/// are no latencies and rates: without a steady state they mean nothing. `quality` is left to the
/// caller.
///
/// # Panics
/// When there is no trial: nothing was evaluated then.
#[must_use]
pub fn aggregate(sampler: &str, evaluation: u64, trials: &[&TrialRow]) -> CandidateRow {
    let first = trials.first().expect("a candidate has a trial");
    let worst = trials.iter().map(|trial| trial.outcome).max();
    let outcome = worst.unwrap_or(first.outcome);
    let with_outcome = trials.iter().find(|trial| trial.outcome == outcome);
    let simulated = trials.iter().any(|t| t.provenance == Provenance::Simulated);
    let values = |metric: fn(&TrialRow) -> Option<f64>| -> Option<Vec<f64>> {
        trials.iter().map(|trial| metric(trial)).collect()
    };
    let ended_ok = outcome == Outcome::Ok;
    let mean = |metric| values(metric).map(|v| v.iter().sum::<f64>() / trials.len() as f64);
    let middle = |metric| values(metric).map(median);
    let share = |metric| mean(metric).filter(|_| ended_ok);
    let steady = |metric| middle(metric).filter(|_| ended_ok);
    CandidateRow {
        sampler: sampler.to_owned(),
        evaluation,
        config_id: first.config_id.clone(),
        config_name: first.config_name.clone(),
        config: first.config.clone(),
        n_trials: trials.len() as u64,
        outcome,
        reason: with_outcome.and_then(|trial| trial.reason.clone()),
        provenance: if simulated {
            Provenance::Simulated
        } else {
            first.provenance
        },
        gpus: first.gpus,
        ttft_p50_s: steady(|t| t.ttft_p50_s),
        ttft_p95_s: steady(|t| t.ttft_p95_s),
        ttft_p99_s: steady(|t| t.ttft_p99_s),
        tpot_p50_s: steady(|t| t.tpot_p50_s),
        tpot_p95_s: steady(|t| t.tpot_p95_s),
        e2e_p50_s: steady(|t| t.e2e_p50_s),
        e2e_p95_s: steady(|t| t.e2e_p95_s),
        e2e_p99_s: steady(|t| t.e2e_p99_s),
        tok_s: steady(|t| t.tok_s),
        goodput_rps: steady(|t| t.goodput_rps),
        slo_share: share(|t| t.slo_share),
        timeout_rate: share(|t| t.timeout_rate),
        error_rate: share(|t| t.error_rate),
        tail_amp: steady(|t| t.tail_amp),
        vram_peak_mb: middle(|t| t.vram_peak_mb),
        kv_peak: mean(|t| t.kv_peak),
        cost_usd_h: middle(|t| t.cost_usd_h),
        cost_per_mtok: steady(|t| t.cost_per_mtok),
        cost_per_goodput_mtok: steady(|t| t.cost_per_goodput_mtok),
        quality: None,
        quality_variant: None,
        feasible: false,
        violation: None,
        violated: None,
        rank: 0,
        on_front: false,
        hypervolume_share: None,
        p_feasible: None,
        p_on_front: None,
        recommended: None,
        why: None,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] + values[n / 2]) / 2.0
}
