use sbt_schemas::PlanRow;
use serde::Serialize;

use crate::format::{self, NOTHING};
use crate::inputs::Inputs;

/// Capacity and cost of one configuration.
#[derive(Debug, Serialize)]
pub(crate) struct PlanView {
    pub(crate) name: String,
    pub(crate) slo: String,
    pub(crate) max_rps: String,
    pub(crate) misses: String,
    pub(crate) pooled: String,
    pub(crate) limited_by: String,
    pub(crate) peak_rps: String,
    pub(crate) headroom: String,
    pub(crate) replicas: String,
    pub(crate) gpus: String,
    pub(crate) month: String,
    pub(crate) mtok: String,
    pub(crate) goodput_mtok: String,
    pub(crate) trials: String,
}

pub(crate) fn plan(inputs: &Inputs) -> Vec<PlanView> {
    let views = inputs.plan.iter().map(|row| PlanView {
        name: row.config_name.clone(),
        slo: row.slo.clone(),
        max_rps: row.max_rps.map_or(NOTHING.to_owned(), format::digits),
        misses: row.miss_ucb.map_or(NOTHING.to_owned(), format::share),
        pooled: pooled(row),
        limited_by: limited_by(row),
        peak_rps: format::digits(row.peak_rps),
        headroom: format!("{:.0} %", row.headroom * 100.0),
        replicas: row
            .replicas
            .map_or(NOTHING.to_owned(), |n| format!("{n} + {}", row.spares)),
        gpus: row.gpus.map_or(NOTHING.to_owned(), format::count),
        month: row.cost_usd_month.map_or(NOTHING.to_owned(), format::money),
        mtok: format::maybe("cost_per_mtok", row.cost_per_mtok),
        goodput_mtok: format::maybe("cost_per_mtok", row.cost_per_goodput_mtok),
        trials: format::count(row.n_trials),
    });
    views.collect()
}

fn pooled(row: &PlanRow) -> String {
    match row.pooled_rps.zip(row.pooled_over) {
        Some((rps, replicas)) => format!("{} over {replicas}", format::digits(rps)),
        None => NOTHING.to_owned(),
    }
}

fn limited_by(row: &PlanRow) -> String {
    let what = row.limited_by.as_deref();
    let what = what.unwrap_or("nothing within the rates tried");
    if row.monotone {
        what.to_owned()
    } else {
        format!("{what}; a lower rate was not sustainable either")
    }
}

/// What another demand takes.
#[derive(Debug, Serialize)]
pub(crate) struct SensitivityView {
    pub(crate) name: String,
    pub(crate) demand: String,
    pub(crate) replicas: String,
    pub(crate) gpus: String,
    pub(crate) month: String,
    pub(crate) mtok: String,
    pub(crate) load_of_plan: String,
}

pub(crate) fn sensitivity(inputs: &Inputs) -> Vec<SensitivityView> {
    let views = inputs.plan_sensitivity.iter().map(|row| SensitivityView {
        name: row.config_name.clone(),
        demand: format!(
            "{} req/s ({:+.0} %)",
            format::digits(row.peak_rps),
            (row.demand_factor - 1.0) * 100.0
        ),
        replicas: format::count(row.replicas),
        gpus: format::count(row.gpus),
        month: row.cost_usd_month.map_or(NOTHING.to_owned(), format::money),
        mtok: format::maybe("cost_per_mtok", row.cost_per_mtok),
        load_of_plan: format!("{:.0} %", row.load_of_plan * 100.0),
    });
    views.collect()
}

/// Latency at one rate.
#[derive(Debug, Serialize)]
pub(crate) struct RateView {
    pub(crate) name: String,
    pub(crate) offered: String,
    pub(crate) ttft: String,
    pub(crate) e2e: String,
    pub(crate) interval: String,
    pub(crate) kept: String,
    pub(crate) wait: String,
    pub(crate) sustained: &'static str,
}

pub(crate) fn rates(inputs: &Inputs) -> Vec<RateView> {
    let views = inputs.rate_curve.iter().map(|row| RateView {
        name: row.config_name.clone(),
        offered: format::metric("rps", row.offered_rps),
        ttft: format::maybe("ttft_p95_s", row.ttft_p95_s),
        e2e: format::maybe("e2e_p95_s", row.e2e_p95_s),
        interval: format::interval("e2e_p95_s", row.e2e_p95_lo_s, row.e2e_p95_hi_s),
        kept: row.slo_share.map_or(NOTHING.to_owned(), format::share),
        wait: row
            .queue_model_wait_s
            .map_or(NOTHING.to_owned(), format::seconds),
        sustained: if row.sustained { "yes" } else { "no" },
    });
    views.collect()
}
