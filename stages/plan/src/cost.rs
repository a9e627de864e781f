use sbt_schemas::{CandidateRow, PlanRow, PlanSensitivityRow};

use crate::capacity::is_monotone;
use crate::found::Found;
use crate::params::Params;

/// Hours of a month: 365 days over 12.
const HOURS_PER_MONTH: f64 = 730.0;
const SECONDS_PER_HOUR: f64 = 3600.0;
/// Demands to plan for besides the estimate, over it.
const DEMANDS: [f64; 4] = [0.5, 0.8, 1.2, 1.5];

/// What a configuration takes and costs, from what was found of it.
pub(crate) struct Cost<'a> {
    pub(crate) params: &'a Params,
    pub(crate) candidate: &'a CandidateRow,
    pub(crate) found: &'a Found,
}

impl Cost<'_> {
    /// The plan, with what its rate curve adds to the rates tried.
    pub(crate) fn row(&self, curve: &[(f64, bool)]) -> PlanRow {
        let Self {
            params,
            candidate,
            found,
        } = self;
        let tried: Vec<(f64, bool)> = found.tried.iter().chain(curve).copied().collect();
        let replicas = self.replicas(params.peak_rps);
        let all = replicas.map(|n| n + params.spares);
        let per_mtok = self.per_mtok(params.peak_rps);
        PlanRow {
            config_id: candidate.config_id.clone(),
            config_name: candidate.config_name.clone(),
            slo: params.objective(),
            max_rps: found.capacity.max_rps,
            miss_ucb: found.capacity.miss_ucb,
            searched_rps: found.searched_rps,
            monotone: is_monotone(&tried),
            pooled_rps: found.pooled.map(|pooled| pooled.rps),
            pooled_over: found.pooled.map(|pooled| pooled.replicas),
            limit_rps: found.capacity.limit_rps,
            limited_by: found.capacity.limited_by.clone(),
            peak_rps: params.peak_rps,
            headroom: params.headroom,
            replicas,
            spares: params.spares,
            gpus_per_replica: candidate.gpus,
            gpus: all.map(|n| n * candidate.gpus),
            cost_usd_month: self.usd_month(all),
            cost_per_mtok: per_mtok,
            cost_per_goodput_mtok: per_mtok
                .zip(self.good_share())
                .map(|(usd, good)| usd / good),
            n_trials: found.trials.len() as u64,
            provenance: candidate.provenance,
        }
    }

    /// What it takes when the demand is another.
    pub(crate) fn sensitivity(&self) -> Vec<PlanSensitivityRow> {
        let rows = DEMANDS.iter().filter_map(|factor| {
            let peak_rps = self.params.peak_rps * factor;
            let replicas = self.replicas(peak_rps)?;
            let planned = self.replicas(self.params.peak_rps)?;
            let all = replicas + self.params.spares;
            Some(PlanSensitivityRow {
                config_id: self.candidate.config_id.clone(),
                config_name: self.candidate.config_name.clone(),
                demand_factor: *factor,
                peak_rps,
                replicas,
                gpus: all * self.candidate.gpus,
                cost_usd_month: self.usd_month(Some(all)),
                cost_per_mtok: self.per_mtok(peak_rps),
                load_of_plan: peak_rps / (planned as f64 * self.rps()?),
            })
        });
        rows.collect()
    }

    /// Requests per second that a replica carries at most.
    fn rps(&self) -> Option<f64> {
        let pooled = self.found.pooled.map(|pooled| pooled.rps);
        pooled.or(self.found.capacity.max_rps)
    }

    fn replicas(&self, peak_rps: f64) -> Option<u64> {
        let rps = self.rps().filter(|rps| *rps > 0.0)?;
        Some((peak_rps / (rps * self.params.headroom)).ceil() as u64)
    }

    fn usd_h(&self, replicas: Option<u64>) -> Option<f64> {
        Some(replicas? as f64 * self.candidate.cost_usd_h?)
    }

    fn usd_month(&self, replicas: Option<u64>) -> Option<f64> {
        self.usd_h(replicas).map(|usd| usd * HOURS_PER_MONTH)
    }

    fn per_mtok(&self, peak_rps: f64) -> Option<f64> {
        let replicas = self.replicas(peak_rps)? + self.params.spares;
        let at_capacity = self.found.at_capacity.as_ref()?;
        let tokens = at_capacity.tok_s? / at_capacity.rps.filter(|rps| *rps > 0.0)?;
        let tokens_h = peak_rps * tokens * SECONDS_PER_HOUR;
        Some(self.usd_h(Some(replicas))? / tokens_h * 1e6)
    }

    /// Share of the output tokens that is of requests within the objective, at the capacity: at
    /// the demand, with headroom, it is no less.
    fn good_share(&self) -> Option<f64> {
        let at_capacity = self.found.at_capacity.as_ref()?;
        Some(at_capacity.cost_per_mtok? / at_capacity.cost_per_goodput_mtok?)
    }
}
