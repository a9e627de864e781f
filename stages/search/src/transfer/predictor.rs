use std::collections::BTreeMap;

use sbt_engine::{StageContext, StageError};
use sbt_schemas::{CandidateRow, Cell, Outcome, Row, WorkloadRow};
use sbt_trials::{
    Backend, Config, Judge, Knob, Protocol, Quality, Term, TrialRunner, TrialSpec, aggregate,
};

/// Groups of terms of the step time that a simulator is likely to be wrong about together.
const DOUBTS: [&[Term]; 4] = [
    &[Term::Linear, Term::Head, Term::PrefillAttention],
    &[Term::DecodeAttention, Term::MixedAttention],
    &[Term::Communication],
    &[
        Term::Small,
        Term::Ungraphed,
        Term::Host,
        Term::HostPerSequence,
    ],
];
/// What a doubted group is multiplied with, to see what depends on it.
const DOUBT: f64 = 1.5;
/// What is added to a value before its logarithm is taken, so that rates of 0 have one.
const OFFSET: f64 = 1e-3;
/// Columns that the simulator states and does not predict.
const STATED: [&str; 3] = ["quality", "gpus", "cost_usd_h"];

/// What the simulator says of a configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prediction {
    /// Whether it comes up, and keeps up with the load.
    pub(super) outcome: Outcome,
    /// Whether it passes the quality gates.
    pub(super) passes: bool,
    /// Columns that need no correction.
    pub(super) stated: BTreeMap<String, f64>,
    /// By metric: the logarithm of its value, and by how much more it would be under each doubt.
    pub(super) logs: BTreeMap<String, (f64, Vec<f64>)>,
}

impl Prediction {
    /// Whether the server starts at all.
    pub(super) fn comes_up(&self) -> bool {
        matches!(self.outcome, Outcome::Ok | Outcome::Unstable)
    }
}

/// Asks the simulator.
pub(crate) struct Predictor<'a> {
    backend: &'a Backend,
    rename: &'a BTreeMap<String, String>,
    fixed: &'a BTreeMap<String, Knob>,
    quality: &'a Quality<'a>,
    judge: &'a Judge,
    /// Columns that the goals name.
    columns: Vec<String>,
    draw: u64,
    /// As it is believed to be, then under each doubt.
    runners: Vec<TrialRunner<'a>>,
}

/// What a predictor stands on.
pub(crate) struct Simulated<'a> {
    pub(crate) backend: &'a Backend,
    pub(crate) protocol: &'a Protocol,
    pub(crate) rename: &'a BTreeMap<String, String>,
    pub(crate) fixed: &'a BTreeMap<String, Knob>,
}

impl<'a> Predictor<'a> {
    /// # Errors
    /// When the simulator lacks something.
    pub(crate) fn new(
        ctx: &'a StageContext,
        simulated: &Simulated<'a>,
        (judge, quality): (&'a Judge, &'a Quality<'a>),
        columns: Vec<String>,
        (workload, draw): (&[WorkloadRow], u64),
    ) -> Result<Self, StageError> {
        let believed = || TrialRunner::new(ctx, simulated.backend, simulated.protocol, workload);
        let mut runners = vec![believed()?.unheard()];
        for doubted in DOUBTS {
            let slowed = believed()?.unheard();
            runners.push(
                doubted
                    .iter()
                    .fold(slowed, |runner, term| runner.slowed(*term, DOUBT)),
            );
        }
        Ok(Self {
            backend: simulated.backend,
            rename: simulated.rename,
            fixed: simulated.fixed,
            quality,
            judge,
            columns,
            draw,
            runners,
        })
    }

    /// Predictions in the order of the configurations, with what each doubt would change.
    ///
    /// # Errors
    /// When the run is being stopped.
    pub(super) fn predict(&self, configs: &[Config]) -> Result<Vec<Prediction>, StageError> {
        self.ask(&self.runners, configs)
    }

    /// The same without doubts: for the first look at many.
    ///
    /// # Errors
    /// As of [`Self::predict`].
    pub(super) fn glance(&self, configs: &[Config]) -> Result<Vec<Prediction>, StageError> {
        self.ask(&self.runners[..1], configs)
    }

    /// Why a configuration does not come up in the simulator, for each that does not.
    ///
    /// # Errors
    /// As of [`Self::predict`].
    pub(crate) fn vetoes(&self, configs: &[Config]) -> Result<Vec<Option<String>>, StageError> {
        let trials = self.runners[0].run(&self.specs(configs))?.into_iter();
        let vetoes = trials.map(|trial| match trial.row.outcome {
            Outcome::Oom | Outcome::LaunchFailed => {
                let reason = trial.row.reason.unwrap_or_default();
                Some(format!("the simulator's server does not come up: {reason}"))
            }
            Outcome::Ok
            | Outcome::Unstable
            | Outcome::Crashed
            | Outcome::Hung
            | Outcome::ClientLimited
            | Outcome::Rejected
            | Outcome::Aborted
            | Outcome::TooManyErrors => None,
        });
        Ok(vetoes.collect())
    }

    fn specs(&self, configs: &[Config]) -> Vec<TrialSpec> {
        let specs = configs.iter().map(|config| {
            let mut config = self.backend.adopt(config, self.rename);
            config.knobs.extend(self.fixed.clone());
            TrialSpec::new(config, self.draw)
        });
        specs.collect()
    }

    fn ask(
        &self,
        runners: &[TrialRunner<'_>],
        configs: &[Config],
    ) -> Result<Vec<Prediction>, StageError> {
        let specs = self.specs(configs);
        let mut worlds = Vec::with_capacity(runners.len());
        for runner in runners {
            let trials = runner.run(&specs)?.into_iter();
            let rows = trials.map(|mut trial| {
                let outcome = std::mem::replace(&mut trial.row.outcome, Outcome::Ok);
                (outcome, aggregate("simulated", 0, &[&trial.row]))
            });
            worlds.push(rows.collect::<Vec<_>>());
        }
        let numbered = configs.iter().enumerate();
        let predictions = numbered.map(|(i, config)| {
            let (outcome, row) = &worlds[0][i];
            let doubted: Vec<&CandidateRow> = worlds[1..].iter().map(|w| &w[i].1).collect();
            self.prediction(config, *outcome, row, &doubted)
        });
        Ok(predictions.collect())
    }

    fn prediction(
        &self,
        config: &Config,
        outcome: Outcome,
        row: &CandidateRow,
        doubted: &[&CandidateRow],
    ) -> Prediction {
        let mut row = row.clone();
        self.quality.fill(&mut row, config);
        row.feasible = true;
        self.quality.gate(&mut row, config);
        let (mut stated, mut logs) = (BTreeMap::new(), BTreeMap::new());
        for column in &self.columns {
            let Some(value) = number(&row, column) else {
                continue;
            };
            if STATED.contains(&column.as_str()) {
                stated.insert(column.clone(), value);
                continue;
            }
            let log = to_log(value);
            let more = doubted.iter().map(|other| {
                let other = number(other, column).map_or(log, to_log);
                (other - log) / DOUBT.ln()
            });
            logs.insert(column.clone(), (log, more.collect()));
        }
        Prediction {
            outcome,
            passes: row.feasible,
            stated,
            logs,
        }
    }

    /// Who judges predictions.
    pub(super) fn judge(&self) -> &'a Judge {
        self.judge
    }
}

/// A metric as the residual sees it.
pub(super) fn to_log(value: f64) -> f64 {
    (value.max(0.0) + OFFSET).ln()
}

/// The value of such a logarithm.
pub(super) fn of_log(log: f64) -> f64 {
    (log.exp() - OFFSET).max(0.0)
}

pub(super) fn number(row: &CandidateRow, column: &str) -> Option<f64> {
    match row.cell(column) {
        Some(Cell::Number(value)) => Some(value),
        Some(Cell::Null | Cell::Bool(_) | Cell::Text(_)) | None => None,
    }
}
