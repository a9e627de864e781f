use sbt_schemas::{Outcome, TrialRow};
use sbt_statistics::{student_quantile, upper_share};

/// Arrivals must last so many times the mean E2E, or start and end are all that is seen. Chosen:
/// a tenth of the span is then ramp at either end.
const SPANS: f64 = 5.0;

/// What a rate was like.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Load {
    /// Every draw kept the objective.
    Sustained {
        /// Requests finished per second, over the draws.
        rps: f64,
        /// One-sided 95 % upper bound of the share of requests that miss the objective.
        miss_ucb: f64,
    },
    /// The requests per second that were finished, as far as known, and what broke.
    Broken(Option<f64>, String),
    /// The arrivals end before a steady state can be seen: this rate cannot be judged.
    TooShort,
}

/// What the draws of one rate say, whose arrivals last `span_s`. Sustained: every draw ended `ok`,
/// and the share of requests that miss the objective is at most 1 - target with 95 %.
pub(crate) fn load(trials: &[TrialRow], target: f64, span_s: f64) -> Load {
    let rps = mean(trials, |trial| trial.rps);
    if let Some(failed) = trials.iter().find(|trial| trial.outcome != Outcome::Ok) {
        let reason = failed.reason.as_deref().unwrap_or("no reason was given");
        return Load::Broken(rps, format!("{}: {reason}", failed.outcome));
    }
    let Some((rps, miss)) = rps.zip(miss(trials)) else {
        return Load::Broken(rps, "no request could be judged".to_owned());
    };
    if miss.upper > 1.0 - target {
        return Load::Broken(Some(rps), miss.complaint(target));
    }
    let too_short = mean(trials, |trial| trial.e2e_mean_s).is_some_and(|e2e| span_s < SPANS * e2e);
    if too_short {
        return Load::TooShort;
    }
    Load::Sustained {
        rps,
        miss_ucb: miss.upper,
    }
}

/// Mean over trials; none when one lacks the value.
pub(crate) fn mean(trials: &[TrialRow], metric: fn(&TrialRow) -> Option<f64>) -> Option<f64> {
    let values: Option<Vec<f64>> = trials.iter().map(metric).collect();
    values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
}

/// Share of requests that miss the objective.
struct Miss {
    share: f64,
    upper: f64,
}

impl Miss {
    fn complaint(&self, target: f64) -> String {
        format!(
            "{:.1} % of the requests kept the objective, at least {:.1} % with 95 % confidence, of \
             {:.0} % wanted",
            100.0 * (1.0 - self.share),
            100.0 * (1.0 - self.upper),
            100.0 * target
        )
    }
}

/// The bound is the wider one of two: of independent requests (Clopper and Pearson), which holds
/// where no draw misses any, and of the shares of independent draws (Student), since requests of
/// one draw miss together.
fn miss(trials: &[TrialRow]) -> Option<Miss> {
    let shares: Option<Vec<f64>> = trials.iter().map(|t| Some(1.0 - t.slo_share?)).collect();
    let shares = shares?;
    let n: f64 = trials.iter().map(|trial| trial.n as f64).sum();
    let missed: f64 = trials
        .iter()
        .zip(&shares)
        .map(|(t, share)| share * t.n as f64)
        .sum();
    let draws = shares.len() as f64;
    let middle = shares.iter().sum::<f64>() / draws;
    let variance = shares.iter().map(|s| (s - middle).powi(2)).sum::<f64>() / (draws - 1.0);
    let of_draws = student_quantile(shares.len().saturating_sub(1), 0.95);
    let of_draws = of_draws.map(|t| middle + t * (variance / draws).sqrt());
    Some(Miss {
        share: missed / n,
        upper: upper_share(missed, n)?.max(of_draws.unwrap_or(0.0)),
    })
}
