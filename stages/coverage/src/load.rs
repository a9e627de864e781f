use sbt_engine::StageError;
use sbt_schemas::{RequestRow, WorkloadRow};
use sbt_trials::{Config, TrialRunner, TrialSpec};

/// Factor on the arrival rate that makes all requests come at once.
const AT_ONCE: f64 = 1e6;
/// Draws behind the saturated rate. Chosen: it hardly differs between them.
const DRAWS: usize = 8;

/// Factor on the arrival rate at which the offered load is the saturated server's rate.
pub(crate) fn saturating_scale(
    runner: &TrialRunner<'_>,
    workload: &[WorkloadRow],
    config: &Config,
    draws: &[u64],
) -> Result<f64, StageError> {
    let draws = &draws[..draws.len().min(DRAWS)];
    let specs = draws.iter().map(|draw| TrialSpec {
        rate_scale: AT_ONCE,
        keep_requests: true,
        ..TrialSpec::new(config.clone(), *draw)
    });
    let specs: Vec<TrialSpec> = specs.collect();
    let rates = runner.simulate(&specs, |trial| saturated_rps(&trial.requests))?;
    let rates: Option<Vec<f64>> = rates.into_iter().collect();
    let rates = rates.ok_or_else(|| {
        StageError::user(format!(
            "`{}` served too little to tell its rate",
            config.name
        ))
    })?;
    let saturated = rates.iter().sum::<f64>() / rates.len() as f64;
    let offered = draws.iter().map(|draw| offered_rps(workload, *draw));
    let offered = offered.sum::<f64>() / draws.len() as f64;
    if offered.is_finite() && offered > 0.0 {
        Ok(saturated / offered)
    } else {
        Err(StageError::user(
            "the workload has no open arrivals to scale",
        ))
    }
}

/// Requests finished per second while the server is full: neither the start nor the end of what
/// comes at once.
fn saturated_rps(requests: &[RequestRow]) -> Option<f64> {
    let mut ends: Vec<f64> = requests.iter().filter_map(|r| r.end_s).collect();
    ends.sort_by(f64::total_cmp);
    let (first, last) = (ends.len() / 4, ends.len() * 3 / 4);
    let span = ends.get(last)? - ends.get(first)?;
    (span > 0.0).then(|| (last - first) as f64 / span)
}

fn offered_rps(workload: &[WorkloadRow], draw: u64) -> f64 {
    let of_draw = workload.iter().filter(|row| row.draw == draw);
    let (n, last) = of_draw.fold((0.0, 0.0_f64), |(n, last), row| {
        (n + 1.0, last.max(row.arrival_s.unwrap_or(0.0)))
    });
    n / last
}
