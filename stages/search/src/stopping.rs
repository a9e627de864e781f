use std::collections::BTreeMap;

use sbt_schemas::{Outcome, TrialRow};

use crate::params::Stop;

/// Seconds in an hour.
const HOUR_S: f64 = 3600.0;

/// Why a search ends before its budget is used up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ended {
    /// A limit was reached.
    Limit(String),
    /// Nothing but failures: the diagnosis.
    Failures(String),
}

/// Limits of a search.
pub(crate) struct Stopping {
    pub(crate) stop: Stop,
    /// Failures in a row that end it; 0: any number goes on.
    pub(crate) failures: u64,
}

impl Stopping {
    /// Whether to end after some trials.
    pub(crate) fn after(&self, trials: &[TrialRow]) -> Option<Ended> {
        self.failed(trials).or_else(|| self.spent(trials))
    }

    fn failed(&self, trials: &[TrialRow]) -> Option<Ended> {
        let last = trials
            .iter()
            .rev()
            .take_while(|trial| is_failure(trial.outcome));
        let last: Vec<&TrialRow> = last.collect();
        if self.failures == 0 || (last.len() as u64) < self.failures {
            return None;
        }
        let mut counts: BTreeMap<(Outcome, &str), usize> = BTreeMap::new();
        for trial in &last {
            let reason = trial.reason.as_deref().unwrap_or("no reason");
            *counts.entry((trial.outcome, reason)).or_default() += 1;
        }
        let reasons = counts
            .iter()
            .map(|((outcome, reason), count)| format!("{count} ended `{outcome}`: {reason}"));
        let reasons: Vec<String> = reasons.collect();
        let (count, name) = (last.len(), &last[0].config_name);
        Some(Ended::Failures(format!(
            "the last {count} trials failed, up to `{name}`: {}; repair the server or narrow the \
             space, or let the search go on with `stop_after_failures = 0`",
            reasons.join("; ")
        )))
    }

    fn spent(&self, trials: &[TrialRow]) -> Option<Ended> {
        let took: f64 = trials.iter().map(seconds).sum();
        if let Some(limit) = self.stop.wall_s.filter(|limit| took >= *limit) {
            let text = format!("the trials took {took:.0} s, and `stop.wall_s` is {limit}");
            return Some(Ended::Limit(text));
        }
        let paid = trials
            .iter()
            .filter_map(|trial| Some(seconds(trial) / HOUR_S * trial.cost_usd_h?));
        let paid: f64 = paid.sum();
        let limit = self.stop.usd.filter(|limit| paid >= *limit)?;
        let text = format!("the trials cost {paid:.2} USD, and `stop.usd` is {limit}");
        Some(Ended::Limit(text))
    }
}

/// The server failed, rather than being slow, forbidden by a rule or given up by the search.
fn is_failure(outcome: Outcome) -> bool {
    match outcome {
        Outcome::LaunchFailed | Outcome::Oom | Outcome::Crashed | Outcome::Hung => true,
        Outcome::Ok
        | Outcome::Unstable
        | Outcome::ClientLimited
        | Outcome::Rejected
        | Outcome::Aborted
        | Outcome::TooManyErrors => false,
    }
}

/// How long a trial took: on the clock, or in the simulation; what was not served took no time.
fn seconds(trial: &TrialRow) -> f64 {
    let rps = trial.rps.filter(|rps| *rps > 0.0);
    let simulated = || Some(trial.n_ok as f64 / rps?);
    trial.wall_s.or_else(simulated).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trial(outcome: Outcome, reason: &str) -> TrialRow {
        serde_json::from_value(json!({
            "trial_key": "k", "config_id": "c", "config_name": "wide", "config": "{}",
            "backend": "b", "draw": 0, "rate_scale": 1.0, "outcome": outcome, "reason": reason,
            "provenance": "measured", "wall_s": 90.0, "cost_usd_h": 4.0, "n": 0, "n_ok": 0,
            "n_short": 0, "statuses": "", "gpus": 1,
        }))
        .expect("a row")
    }

    fn stopping(stop: Stop, failures: u64) -> Stopping {
        Stopping { stop, failures }
    }

    #[test]
    fn failures_in_a_row_end_the_search_with_their_reasons_counted() {
        let stopping = stopping(Stop::default(), 3);
        let oom = || trial(Outcome::Oom, "CUDA out of memory");
        let slow = || trial(Outcome::Unstable, "too much load");
        assert_eq!(stopping.after(&[oom(), slow(), oom(), oom()]), None);
        let crashed = trial(Outcome::Crashed, "Segmentation fault");
        let ended = stopping.after(&[slow(), oom(), oom(), crashed]);
        let Some(Ended::Failures(text)) = ended else {
            panic!("{ended:?}");
        };
        assert!(text.contains("2 ended `oom`: CUDA out of memory"), "{text}");
        assert!(
            text.contains("1 ended `crashed`: Segmentation fault"),
            "{text}"
        );
    }

    #[test]
    fn seconds_and_dollars_are_those_of_the_trials() {
        let trials = [trial(Outcome::Ok, ""), trial(Outcome::Ok, "")];
        let wall = |wall_s| {
            stopping(
                Stop {
                    wall_s: Some(wall_s),
                    ..Stop::default()
                },
                0,
            )
        };
        assert_eq!(wall(181.0).after(&trials), None);
        assert!(matches!(wall(180.0).after(&trials), Some(Ended::Limit(_))));
        let usd = |usd| {
            stopping(
                Stop {
                    usd: Some(usd),
                    ..Stop::default()
                },
                0,
            )
        };
        assert_eq!(usd(0.21).after(&trials), None);
        assert!(matches!(usd(0.2).after(&trials), Some(Ended::Limit(_))));
    }
}
