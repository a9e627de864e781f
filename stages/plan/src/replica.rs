use sbt_engine::StageError;
use sbt_schemas::{TrialRow, WorkloadRow};
use sbt_trials::{Config, TrialRunner, TrialSpec};

use crate::load::{Load, load, mean};

/// Factor on the arrival rate that makes all requests come at once.
const AT_ONCE: f64 = 1e6;

/// What serves a workload at any rate: one replica of a configuration, or several together.
pub(crate) struct Replica<'a> {
    pub(crate) runner: &'a TrialRunner<'a>,
    pub(crate) workload: &'a [WorkloadRow],
    pub(crate) config: &'a Config,
    pub(crate) target: f64,
}

/// Trials at one rate, and what they say of it.
pub(crate) struct AtRate {
    pub(crate) trials: Vec<TrialRow>,
    pub(crate) load: Load,
}

impl Replica<'_> {
    pub(crate) fn at(&self, rate_scale: f64, draws: &[u64]) -> Result<AtRate, StageError> {
        let specs = draws.iter().map(|draw| TrialSpec {
            rate_scale,
            ..TrialSpec::new(self.config.clone(), *draw)
        });
        let trials = self.runner.run(&specs.collect::<Vec<_>>())?;
        let trials: Vec<TrialRow> = trials.into_iter().map(|trial| trial.row).collect();
        let spans = draws
            .iter()
            .map(|draw| Arrivals::of(self.workload, *draw).last_s);
        let span_s = spans.fold(f64::INFINITY, f64::min) / rate_scale;
        let load = load(&trials, self.target, span_s);
        Ok(AtRate { trials, load })
    }

    /// Scale of the arrival rate at which a replica would be just full: the rate at which it works
    /// off what comes at once (its places over the time that a request takes), over that which is
    /// offered.
    pub(crate) fn static_estimate(&self, draw: u64) -> Result<f64, StageError> {
        let at_once = self.at(AT_ONCE, &[draw])?;
        let offered = Arrivals::of(self.workload, draw).rps();
        let full = mean(&at_once.trials, |trial| trial.rps).filter(|rps| *rps > 0.0);
        let scale = full.zip(offered).map(|(full, offered)| full / offered);
        Ok(scale.unwrap_or(1.0))
    }
}

/// When the requests of a draw come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arrivals {
    /// Requests, later turns included.
    n: f64,
    /// Last arrival that waits for no answer, s.
    pub(crate) last_s: f64,
}

impl Arrivals {
    pub(crate) fn of(workload: &[WorkloadRow], draw: u64) -> Self {
        let of_draw = workload.iter().filter(|row| row.draw == draw);
        of_draw.fold(
            Self {
                n: 0.0,
                last_s: 0.0,
            },
            |sum, row| Self {
                n: sum.n + 1.0,
                last_s: sum.last_s.max(row.arrival_s.unwrap_or(0.0)),
            },
        )
    }

    /// Requests per second; none when they all come at once.
    pub(crate) fn rps(self) -> Option<f64> {
        (self.last_s > 0.0).then(|| self.n / self.last_s)
    }

    /// Mean gap between arrivals, s.
    pub(crate) fn gap_s(self) -> f64 {
        self.last_s / self.n.max(1.0)
    }
}
