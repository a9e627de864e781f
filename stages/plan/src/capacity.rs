use sbt_engine::StageError;
use sbt_schemas::{Outcome, TrialRow};

/// Doublings or halvings of the rate to bracket the limit.
const BRACKET_STEPS: u32 = 8;

/// What a rate was like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Load {
    /// Every draw kept the objective; requests finished per second, over the draws.
    Sustained(f64),
    /// The requests per second that were finished, as far as known, and what broke.
    Broken(Option<f64>, String),
}

/// The highest sustainable load of one replica.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Capacity {
    /// Requests per second at the highest scale that was sustained.
    pub(crate) max_rps: Option<f64>,
    /// Requests per second at the lowest scale that was not.
    pub(crate) limit_rps: Option<f64>,
    /// What broke there.
    pub(crate) limited_by: Option<String>,
    /// Scales tried.
    pub(crate) tried: u64,
}

/// Finds the highest scale of the arrival rate that is sustained: brackets it by doubling or
/// halving, then bisects on a log scale until the bracket is within `tolerance`.
pub(crate) fn capacity(
    tolerance: f64,
    mut try_scale: impl FnMut(f64) -> Result<Load, StageError>,
) -> Result<Capacity, StageError> {
    let mut found = Capacity {
        max_rps: None,
        limit_rps: None,
        limited_by: None,
        tried: 0,
    };
    let (mut low, mut high): (Option<f64>, Option<f64>) = (None, None);
    let mut scale = 1.0;
    let mut steps = 0;
    loop {
        found.tried += 1;
        match try_scale(scale)? {
            Load::Sustained(rps) => {
                low = Some(scale);
                found.max_rps = Some(rps);
            }
            Load::Broken(rps, why) => {
                high = Some(scale);
                found.limit_rps = rps;
                found.limited_by = Some(why);
            }
        }
        scale = match (low, high) {
            (Some(low), Some(high)) if high / low - 1.0 <= tolerance => return Ok(found),
            (Some(low), Some(high)) => (low * high).sqrt(),
            _ if steps >= BRACKET_STEPS => return Ok(found),
            (Some(low), None) => low * 2.0,
            (None, Some(high)) => high / 2.0,
            (None, None) => return Ok(found),
        };
        steps += 1;
    }
}

/// What the draws of one scale say. Sustained: every draw ended `ok`, and the share of requests
/// that kept the objective, pooled over the draws, is at least the target.
pub(crate) fn load(trials: &[&TrialRow], target: f64) -> Load {
    let mean = |metric: fn(&TrialRow) -> Option<f64>| -> Option<f64> {
        let values: Option<Vec<f64>> = trials.iter().map(|trial| metric(trial)).collect();
        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
    };
    let rps = mean(|trial| trial.rps);
    if let Some(failed) = trials.iter().find(|trial| trial.outcome != Outcome::Ok) {
        let reason = failed.reason.as_deref().unwrap_or("no reason was given");
        return Load::Broken(rps, format!("{}: {reason}", failed.outcome));
    }
    let requests: f64 = trials.iter().map(|trial| trial.n as f64).sum();
    let good: Option<f64> = trials
        .iter()
        .map(|trial| Some(trial.slo_share? * trial.n as f64))
        .sum();
    match (good.map(|good| good / requests), rps) {
        (Some(share), Some(rps)) if share >= target => Load::Sustained(rps),
        (Some(share), _) => Load::Broken(
            rps,
            format!(
                "{:.1} % of the requests kept the objective, of {:.0} % wanted",
                share * 100.0,
                target * 100.0
            ),
        ),
        (None, _) => Load::Broken(rps, "no request could be judged".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited_at(limit: f64) -> impl FnMut(f64) -> Result<Load, StageError> {
        move |scale| {
            Ok(if scale <= limit {
                Load::Sustained(scale * 10.0)
            } else {
                Load::Broken(Some(limit * 10.0), "slo".to_owned())
            })
        }
    }

    #[test]
    fn limit_above_and_below_the_offered_rate_is_met_within_the_tolerance() {
        for limit in [0.07, 0.9, 1.0, 3.3, 40.0] {
            let found = capacity(0.03, limited_at(limit)).unwrap();
            let rps = found.max_rps.unwrap();
            assert!(
                rps <= limit * 10.0 && rps >= limit * 10.0 / 1.03,
                "{limit}: {found:?}"
            );
            assert!(found.tried <= 20);
        }
    }

    #[test]
    fn hopeless_and_unbounded_loads_end_without_an_invented_number() {
        assert_eq!(capacity(0.03, limited_at(0.0)).unwrap().max_rps, None);
        let found = capacity(0.03, limited_at(f64::INFINITY)).unwrap();
        assert_eq!(found.limited_by, None);
    }
}
