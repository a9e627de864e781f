use std::collections::{BTreeMap, BTreeSet};

use sbt_engine::{StageContext, StageError};
use sbt_schemas::{CandidateRow, QualityRow, TrialRow, WorkloadRow};
use sbt_trials::{Backend, Config, Judge, Quality, TrialRunner, aggregate};

use crate::params::Params;

/// What the configurations of one scenario are worth: means over draws that no search served.
pub(crate) struct Truth {
    judge: Judge,
    /// By the configuration's identity.
    rows: BTreeMap<String, CandidateRow>,
    /// Hypervolume of all of them.
    best_volume: f64,
    /// Least first objective of all feasible ones.
    best: Option<f64>,
}

impl Truth {
    /// Runs every configuration once on each draw.
    ///
    /// # Errors
    /// When a trial cannot be run, or the baseline has no value of an objective, or nothing is
    /// better than the baseline.
    pub(crate) fn measure(
        ctx: &StageContext,
        params: &Params,
        scenario: &str,
        seen: &[&CandidateRow],
    ) -> Result<Self, StageError> {
        let backend = params.backends.get(scenario).ok_or_else(|| {
            StageError::user(format!("`backends` has no server of scenario `{scenario}`"))
        })?;
        let configs = configs(&params.baseline, seen)?;
        let server = backend.server().map_err(StageError::user)?;
        let quality: Vec<QualityRow> = ctx.rows_if_wired("quality")?.unwrap_or_default();
        let quality = Quality::new(&server, quality);
        let mut rows = measured(ctx, params, backend, &configs, &quality)?.into_iter();
        let baseline = rows.next().expect("the baseline is measured first");
        let judge = Judge::new(&params.goals, Some(&baseline)).map_err(StageError::user)?;
        let judged = rows.zip(&configs[1..]).map(|(mut row, config)| {
            judge.assess(&mut row);
            quality.gate(&mut row, config);
            (row.config_id.clone(), row)
        });
        let rows: BTreeMap<String, CandidateRow> = judged.collect();
        let mut truth = Self {
            judge,
            rows,
            best_volume: 0.0,
            best: None,
        };
        truth.best = truth.best_of(truth.rows.values());
        truth.best_volume = truth
            .judge
            .hypervolume(truth.rows.values())
            .filter(|volume| *volume > 0.0)
            .ok_or_else(|| {
                StageError::user(format!(
                    "scenario `{scenario}`: no feasible configuration is better than the baseline, \
                     or the baseline has no value of an objective ({})",
                    baseline.outcome
                ))
            })?;
        Ok(truth)
    }

    /// Share of the best hypervolume that the first `evals` of some candidates reach, and the
    /// relative distance of their best first objective from the best.
    pub(crate) fn reached(&self, candidates: &[CandidateRow]) -> (f64, Option<f64>) {
        let rows = || candidates.iter().map(|row| &self.rows[&row.config_id]);
        let volume = self.judge.hypervolume(rows()).unwrap_or(0.0);
        let regret = self.best_of(rows()).zip(self.best);
        let regret = regret.map(|(found, best)| (found - best) / best.abs());
        (volume / self.best_volume, regret)
    }

    fn best_of<'a>(&self, rows: impl Iterator<Item = &'a CandidateRow>) -> Option<f64> {
        let feasible = rows.filter(|row| row.feasible);
        let first = feasible.filter_map(|row| self.judge.score(row)?.first().copied());
        first.min_by(f64::total_cmp)
    }
}

/// The baseline, then each configuration once.
fn configs(baseline: &Config, seen: &[&CandidateRow]) -> Result<Vec<Config>, StageError> {
    let mut known = BTreeSet::new();
    let mut configs = vec![baseline.clone()];
    for row in seen {
        if known.insert(&row.config_id) {
            configs.push(Config::of_candidate(row).map_err(StageError::user)?);
        }
    }
    Ok(configs)
}

/// Means over the draws, with their quality.
fn measured(
    ctx: &StageContext,
    params: &Params,
    backend: &Backend,
    configs: &[Config],
    quality: &Quality<'_>,
) -> Result<Vec<CandidateRow>, StageError> {
    let workload: Vec<WorkloadRow> = ctx.rows("workload")?;
    let runner = TrialRunner::new(ctx, backend, &params.protocol, &workload)?;
    let trials = runner.over_draws(configs, &params.draws)?;
    let rows = trials.iter().zip(configs).map(|(trials, config)| {
        let trials: Vec<&TrialRow> = trials.iter().collect();
        let mut row = aggregate("truth", 0, &trials);
        quality.fill(&mut row, config);
        row
    });
    Ok(rows.collect())
}
