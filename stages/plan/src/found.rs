use sbt_engine::{StageContext, StageError};
use sbt_schemas::{TrialRow, WorkloadRow};
use sbt_trials::{Config, TrialRunner};

use crate::capacity::{Capacity, capacity, confirm};
use crate::load::Load;
use crate::params::Params;
use crate::pool::{DRAWS, MOST_POOLED, pooled_workload};
use crate::replica::Replica;

/// Estimate of a pool's rate over that of as many replicas on their own: the first two rates tried
/// are then 0.7 and 2.1 times the latter.
const START: f64 = 1.4;

/// What one replica carries, and what each of several together does.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) capacity: Capacity,
    /// Before fresh draws confirmed or lowered it.
    pub(crate) searched_rps: Option<f64>,
    pub(crate) pooled: Option<Pooled>,
    /// Scales that were tried on the first draws, and whether each was sustained.
    pub(crate) tried: Vec<(f64, bool)>,
    /// A trial at the capacity: what a rate is worth in tokens.
    pub(crate) at_capacity: Option<TrialRow>,
    pub(crate) trials: Vec<TrialRow>,
}

/// Replicas simulated together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pooled {
    pub(crate) replicas: u64,
    /// Highest sustainable rate, requests per second and replica.
    pub(crate) rps: f64,
}

impl Found {
    /// The capacity of one replica: bisection on some draws, confirmed on others.
    pub(crate) fn of_one(replica: &Replica<'_>, params: &Params) -> Result<Self, StageError> {
        let Params {
            draws,
            fresh_draws,
            tolerance,
            ..
        } = params;
        let mut found = Self {
            capacity: Capacity::default(),
            searched_rps: None,
            pooled: None,
            tried: Vec::new(),
            at_capacity: None,
            trials: Vec::new(),
        };
        let estimate = replica.static_estimate(draws[0])?;
        let mut capacity = capacity(estimate, *tolerance, |scale| {
            let load = found.one(replica, scale, draws)?;
            let sustained = matches!(load, Load::Sustained { .. });
            found.tried.push((scale, sustained));
            Ok(load)
        })?;
        if !fresh_draws.is_empty() {
            found.searched_rps = capacity.max_rps;
            confirm(&mut capacity, *tolerance, |scale| {
                found.one(replica, scale, fresh_draws)
            })?;
        }
        found.capacity = capacity;
        Ok(found)
    }

    fn one(
        &mut self,
        replica: &Replica<'_>,
        scale: f64,
        draws: &[u64],
    ) -> Result<Load, StageError> {
        let at = replica.at(scale, draws)?;
        if matches!(at.load, Load::Sustained { .. }) {
            self.at_capacity = at.trials.first().cloned();
        }
        self.trials.extend(at.trials);
        Ok(at.load)
    }
}

impl Pooled {
    /// What each of as many replicas as the demand takes carries when the shortest queue takes the
    /// next request: bursts even out, so more than one alone. None for a single replica, and where
    /// it cannot be simulated.
    pub(crate) fn of(
        ctx: &StageContext,
        params: &Params,
        workload: &[WorkloadRow],
        config: &Config,
        found: &Found,
    ) -> Result<Option<Self>, StageError> {
        let Some((scale, rps)) = found.capacity.scale.zip(found.capacity.max_rps) else {
            return Ok(None);
        };
        let needed = (params.peak_rps / (rps * params.headroom)).ceil() as u64;
        let replicas = needed.min(MOST_POOLED);
        if replicas < 2 || params.backend.is_real() {
            return Ok(None);
        }
        let draws: Vec<u64> = params
            .draws
            .iter()
            .chain(&params.fresh_draws)
            .copied()
            .collect();
        let pooled = pooled_workload(workload, &draws, replicas);
        let runner = TrialRunner::new(ctx, &params.backend, &params.protocol, &pooled)?;
        let Some(runner) = runner.replicated(replicas) else {
            return Ok(None);
        };
        let pool = Replica {
            runner: &runner,
            workload: &pooled,
            config,
            target: params.target,
        };
        let estimate = scale * replicas as f64 * START;
        let found = capacity(estimate, params.tolerance, |scale| {
            Ok(pool.at(scale, &DRAWS)?.load)
        })?;
        // Where the arrivals end too soon the pool carries more than was seen: no figure to plan with.
        let known = found.max_rps.filter(|_| found.limit_rps.is_some());
        Ok(known.map(|rps| Self {
            replicas,
            rps: rps / replicas as f64,
        }))
    }
}
