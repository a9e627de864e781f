use std::collections::BTreeMap;

use sbt_engine::StageError;
use sbt_schemas::{CandidateRow, Outcome, TrialRow};
use sbt_trials::{Config, Judge, Quality, Slo, Trial, TrialRunner, TrialSpec, aggregate};

use crate::race::Race;
use crate::sampler::Evaluation;
use crate::stopping::{Ended, Stopping};
use crate::transfer::Predictor;

/// Runs configurations and says what they were worth.
pub(crate) struct Evaluator<'a> {
    pub(crate) sampler: &'static str,
    pub(crate) draw: u64,
    pub(crate) runner: TrialRunner<'a>,
    pub(crate) race: Race,
    pub(crate) slo: &'a Slo,
    pub(crate) judge: &'a Judge,
    pub(crate) quality: &'a Quality<'a>,
    pub(crate) stopping: Stopping,
    /// Who knows which configurations do not come up.
    pub(crate) veto: Option<&'a Predictor<'a>>,
    /// Every trial so far, those of a part of the draw too.
    pub(crate) trials: Vec<TrialRow>,
    /// Why nothing more is evaluated.
    pub(crate) ended: Option<Ended>,
}

impl Evaluator<'_> {
    /// One assessed candidate per configuration, in order; `start` configurations came before.
    /// None once a limit is reached.
    pub(crate) fn evaluate(
        &mut self,
        configs: &[Config],
        start: usize,
    ) -> Result<Vec<(CandidateRow, Evaluation)>, StageError> {
        if self.ended.is_some() {
            return Ok(Vec::new());
        }
        let trials = self.trials_of(configs)?;
        let numbered = trials.iter().zip(configs).zip(start as u64..);
        let candidates = numbered.map(|((trial, config), i)| {
            let candidate = self.candidate(&trial.row, config, i);
            let worth = if candidate.outcome == Outcome::Aborted {
                self.worth_of_aborted(&trial.row, config)
            } else {
                worth(self.judge, &candidate)
            };
            (candidate, worth)
        });
        let candidates = candidates.collect();
        self.ended = self.stopping.after(&self.trials);
        Ok(candidates)
    }

    /// Runs the configurations, but for those that the simulator says do not come up.
    fn trials_of(&mut self, configs: &[Config]) -> Result<Vec<Trial>, StageError> {
        let vetoes = match self.veto {
            Some(predictor) => predictor.vetoes(configs)?,
            None => vec![None; configs.len()],
        };
        let specs = configs.iter();
        let specs = specs.map(|config| TrialSpec::new(config.clone(), self.draw));
        let specs: Vec<TrialSpec> = specs.collect();
        let allowed = specs.iter().zip(&vetoes).filter(|(_, veto)| veto.is_none());
        let allowed: Vec<TrialSpec> = allowed.map(|(spec, _)| spec.clone()).collect();
        let vetoed: Vec<bool> = vetoes.iter().map(Option::is_some).collect();
        let mut run = self.raced(&allowed)?.into_iter();
        let all = specs
            .iter()
            .zip(vetoes)
            .filter_map(|(spec, veto)| match veto {
                Some(reason) => Some(self.runner.refuse(spec, reason)),
                None => run.next().map(Ok),
            });
        let all = all.collect::<Result<Vec<Trial>, StageError>>()?;
        let refused = all.iter().zip(vetoed).filter(|(_, vetoed)| *vetoed);
        self.trials
            .extend(refused.map(|(trial, _)| trial.row.clone()));
        Ok(all)
    }

    /// Of each configuration the trial that it ended with, in the order of the first ones.
    pub(crate) fn last_trials(&self) -> Vec<TrialRow> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut last: Vec<&TrialRow> = Vec::new();
        for trial in &self.trials {
            let place = *places.entry(&trial.config_id).or_insert(last.len());
            match last.get_mut(place) {
                Some(known) => *known = trial,
                None => last.push(trial),
            }
        }
        last.into_iter().cloned().collect()
    }

    pub(crate) fn candidate(
        &self,
        trial: &TrialRow,
        config: &Config,
        evaluation: u64,
    ) -> CandidateRow {
        let mut candidate = aggregate(self.sampler, evaluation, &[trial]);
        self.quality.fill(&mut candidate, config);
        self.judge.assess(&mut candidate);
        self.quality.gate(&mut candidate, config);
        candidate
    }

    /// What a sampler learns of a configuration that was aborted: what the part showed that it
    /// served, and never that it is feasible.
    fn worth_of_aborted(&self, trial: &TrialRow, config: &Config) -> Evaluation {
        let part = self.candidate(&as_if_ended(trial), config, 0);
        let worth = worth(self.judge, &part);
        Evaluation {
            violation: worth.violation.map(|size| size.max(f64::MIN_POSITIVE)),
            ..worth
        }
    }
}

/// A trial of which only the figures count.
pub(crate) fn as_if_ended(trial: &TrialRow) -> TrialRow {
    TrialRow {
        outcome: Outcome::Ok,
        reason: None,
        ..trial.clone()
    }
}

/// What a sampler learns of an assessed candidate. What is not feasible never counts as such,
/// even where its violation has no size worth mentioning: a quality gate may fail on the width of
/// an interval alone.
fn worth(judge: &Judge, candidate: &CandidateRow) -> Evaluation {
    let violation = candidate.violation.map(|violation| {
        if candidate.feasible {
            0.0
        } else {
            violation.max(f64::MIN_POSITIVE)
        }
    });
    Evaluation {
        objectives: judge.score(candidate),
        violation,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_gate_takes_out_is_infeasible_to_the_sampler_whatever_its_size() {
        let goals = serde_json::from_value(json!({ "minimize": ["e2e_p95_s"] })).expect("goals");
        let judge = Judge::new(&goals, None).expect("a judge");
        let candidate = |feasible: bool, violation: Option<f64>| -> CandidateRow {
            serde_json::from_value(json!({
                "sampler": "random", "evaluation": 0, "config_id": "c", "config_name": "c",
                "config": "{}", "n_trials": 1, "outcome": "ok", "provenance": "simulated",
                "gpus": 1, "e2e_p95_s": 1.0, "feasible": feasible, "violation": violation,
                "rank": 0, "on_front": false,
            }))
            .expect("a row")
        };
        let violation =
            |feasible, size| worth(&judge, &candidate(feasible, size)).constraint_violation();
        assert_eq!(violation(true, Some(0.0)), 0.0);
        assert!(violation(false, Some(0.0)) > 0.0);
        assert_eq!(violation(false, Some(0.5)), 0.5);
        assert_eq!(violation(false, None), f64::INFINITY);
    }
}
