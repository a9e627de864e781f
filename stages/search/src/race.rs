use sbt_engine::StageError;
use sbt_schemas::{CandidateRow, Outcome};
use sbt_statistics::lower_bound;
use sbt_trials::{Config, Trial, TrialSpec, batches};

use crate::evaluator::{Evaluator, as_if_ended};

/// Batches of successive requests whose figures are compared. Chosen: as many as batch means want
/// at least, so that the batches of the smallest trial are not single requests.
pub(crate) const BATCHES: usize = 10;
/// Batches that break a constraint from which it is broken: that many or more have a probability
/// of 1.1 % when half of all batches break it (sign test; of eight it would be 5.5 %).
const BREAKING: usize = 9;

/// Trials that grow.
pub(crate) struct Race {
    /// Requests of the trials before those of the whole draw, rising.
    sizes: Vec<u64>,
    /// What the feasible ones showed that served the whole draw: one per size.
    incumbents: Vec<Vec<Showing>>,
}

/// What a part of the draw showed of a configuration.
#[derive(Debug, Clone, PartialEq)]
struct Showing {
    name: String,
    /// Per batch, its objectives, all to be minimised; none where one has no value.
    scores: Vec<Option<Vec<f64>>>,
    /// Per constraint, batches that break it.
    breaking: Vec<usize>,
    /// Whether it breaks nothing over the whole part.
    feasible: bool,
    /// What it breaks whatever the requests show.
    gated: Option<String>,
}

impl Race {
    pub(crate) fn new(sizes: Vec<u64>) -> Self {
        Self {
            sizes,
            incumbents: Vec::new(),
        }
    }
}

impl Evaluator<'_> {
    /// Runs trials, each first over the parts of the draw, and returns the last one of each; what
    /// a part is enough for ends `aborted`.
    pub(crate) fn raced(&mut self, specs: &[TrialSpec]) -> Result<Vec<Trial>, StageError> {
        let mut ended: Vec<Option<Trial>> = vec![None; specs.len()];
        let mut shown: Vec<Vec<Showing>> = vec![Vec::new(); specs.len()];
        let mut left: Vec<usize> = (0..specs.len()).collect();
        for (round, size) in self.race.sizes.clone().into_iter().enumerate() {
            let trials = self.part(specs, &left, Some(size))?;
            for (place, trial) in left.iter().zip(&trials) {
                shown[*place].push(self.showing(trial, &specs[*place].config));
            }
            let verdicts: Vec<Option<String>> = left
                .iter()
                .map(|place| self.verdict(round, *place, &left, &shown))
                .collect();
            let mut going_on = Vec::with_capacity(left.len());
            for ((place, mut trial), verdict) in left.into_iter().zip(trials).zip(verdicts) {
                let served = matches!(trial.row.outcome, Outcome::Ok | Outcome::Unstable);
                if let Some(why) = verdict.filter(|_| served) {
                    trial.row.outcome = Outcome::Aborted;
                    trial.row.reason = Some(format!("after {size} requests: {why}"));
                } else if served {
                    going_on.push(place);
                }
                self.trials.push(trial.row.clone());
                ended[place] = Some(trial);
            }
            left = going_on;
        }
        let trials = self.part(specs, &left, None)?;
        for (place, trial) in left.into_iter().zip(trials) {
            self.trials.push(trial.row.clone());
            let compared = !self.race.sizes.is_empty();
            if compared && self.candidate(&trial.row, &specs[place].config, 0).feasible {
                self.race.incumbents.push(std::mem::take(&mut shown[place]));
            }
            ended[place] = Some(trial);
        }
        Ok(ended.into_iter().flatten().collect())
    }

    fn part(
        &self,
        specs: &[TrialSpec],
        left: &[usize],
        requests: Option<u64>,
    ) -> Result<Vec<Trial>, StageError> {
        let specs = left.iter().map(|place| TrialSpec {
            requests,
            keep_requests: requests.is_some(),
            ..specs[*place].clone()
        });
        self.runner.run(&specs.collect::<Vec<_>>())
    }

    fn showing(&self, trial: &Trial, config: &Config) -> Showing {
        let rows = batches(trial, self.slo, BATCHES);
        let batches = rows
            .iter()
            .map(|row| self.candidate(&as_if_ended(row), config, 0));
        let batches: Vec<CandidateRow> = batches.collect();
        let kept: Vec<Vec<bool>> = batches.iter().map(|b| self.judge.kept(b)).collect();
        let constraints = 0..kept.first().map_or(0, Vec::len);
        let whole = self.candidate(&trial.row, config, 0);
        let gated = !whole.feasible && self.judge.kept(&whole).into_iter().all(|kept| kept);
        Showing {
            name: config.name.clone(),
            scores: batches.iter().map(|b| self.judge.score(b)).collect(),
            breaking: constraints
                .map(|k| kept.iter().filter(|batch| !batch[k]).count())
                .collect(),
            feasible: whole.feasible,
            gated: whole.violated.filter(|_| gated),
        }
    }

    /// Why a configuration needs no more requests; none while it may still be wanted.
    fn verdict(
        &self,
        round: usize,
        place: usize,
        left: &[usize],
        shown: &[Vec<Showing>],
    ) -> Option<String> {
        let one = &shown[place][round];
        let broken = one.breaking.iter().position(|count| *count >= BREAKING);
        if let Some(broken) = broken {
            let constraint = &self.judge.constraints()[broken];
            let count = one.breaking[broken];
            return Some(format!(
                "`{constraint}` is broken in {count} of {BATCHES} batches"
            ));
        }
        if let Some(gated) = &one.gated {
            return Some(gated.clone());
        }
        let rivals = left.iter().filter(|other| **other != place);
        let rivals = rivals.map(|other| &shown[*other][round]);
        let incumbents = self.race.incumbents.iter().map(|of| &of[round]);
        let mut rivals = incumbents.chain(rivals.filter(|rival| rival.feasible));
        let better = rivals.find(|rival| one.is_worse_than(rival))?;
        Some(format!(
            "worse in every objective than `{}` with 95 % confidence over {BATCHES} batches",
            better.name
        ))
    }
}

impl Showing {
    /// Whether every objective is worse, each with 95 % confidence (one-sided, Student).
    fn is_worse_than(&self, other: &Self) -> bool {
        let pairs = self.scores.iter().zip(&other.scores);
        let pairs = pairs.map(|(one, other)| one.as_ref().zip(other.as_ref()));
        let Some(pairs) = pairs.collect::<Option<Vec<_>>>() else {
            return false;
        };
        let objectives = 0..pairs.first().map_or(0, |(one, _)| one.len());
        let mut worse = objectives.map(|k| {
            let margins: Vec<f64> = pairs.iter().map(|(a, b)| margin(a[k], b[k])).collect();
            lower_bound(&margins).is_some_and(|least| least > 0.0)
        });
        !pairs.is_empty() && worse.all(|worse| worse)
    }
}

/// How much worse a value is, both to be minimised: the log of their ratio, or their difference
/// where one of them is 0 or their signs differ.
fn margin(one: f64, other: f64) -> f64 {
    if one * other <= 0.0 {
        one - other
    } else if one > 0.0 {
        (one / other).ln()
    } else {
        (other / one).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn showing(score: impl Fn(usize) -> Vec<f64>) -> Showing {
        Showing {
            name: "one".to_owned(),
            scores: (0..BATCHES).map(|batch| Some(score(batch))).collect(),
            breaking: Vec::new(),
            feasible: true,
            gated: None,
        }
    }

    #[test]
    fn worse_is_worse_in_every_objective_beyond_the_noise_that_both_share() {
        let noise = |batch: usize| 1.0 + (batch % 3) as f64;
        let best = showing(|batch| vec![noise(batch), -4.0]);
        let worse = showing(|batch| vec![1.1 * noise(batch), -3.0]);
        let mixed = showing(|batch| vec![1.1 * noise(batch), -5.0]);
        assert!(worse.is_worse_than(&best) && !best.is_worse_than(&worse));
        assert!(!mixed.is_worse_than(&best) && !best.is_worse_than(&mixed));
        assert!(!best.is_worse_than(&best));
        let sign = |batch: usize| {
            if batch.is_multiple_of(2) {
                1.0
            } else {
                -0.9_f64
            }
        };
        let unclear = showing(|batch| vec![noise(batch) * (0.2 * sign(batch)).exp(), -3.0]);
        assert!(!unclear.is_worse_than(&best));
    }

    #[test]
    fn what_has_no_value_in_a_batch_is_not_called_worse() {
        let best = showing(|_| vec![1.0]);
        let mut failing = showing(|_| vec![9.0]);
        failing.scores[3] = None;
        assert!(!failing.is_worse_than(&best));
    }
}
