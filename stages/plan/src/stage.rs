use std::collections::BTreeMap;

use sbt_engine::{
    FileParam, Input, Output, ParamError, Stage, StageContext, StageError, StageKind, parse_params,
};
use sbt_schemas::{CandidateRow, PlanRow, Row, TrialRow, WorkloadRow};
use sbt_trials::{Config, Slo, TrialRunner, TrialSpec, backend_files, calibration_input};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::capacity::{Capacity, Load, capacity, load};
use crate::params::Params;

/// Hours of a month: 365 days over 12.
const HOURS_PER_MONTH: f64 = 730.0;
const SECONDS_PER_HOUR: f64 = 3600.0;

/// The kind `plan`.
pub struct PlanKind;

impl StageKind for PlanKind {
    fn name(&self) -> &'static str {
        "plan"
    }

    fn about(&self) -> &'static str {
        "Finds the highest sustainable rate of one replica, and sizes a fleet for a demand"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> Schema {
        schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        r#"peak_rps = 60.0
backend = { kind = "simulator", server = "vllm", model = "llama-3.1-8b", gpu = "h100-sxm", gpus = 2 }
protocol = { slo = { ttft_p95_s = 1.0, e2e_p95_s = 20.0 } }
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let mut errors = params.backend.problems(&["backend"]);
        let mut share = |key: &str, value: f64| {
            if !(value > 0.0 && value <= 1.0) {
                errors.push(ParamError::at(
                    &[key],
                    format!("is {value}, expected above 0 and at most 1"),
                ));
            }
        };
        share("headroom", params.headroom);
        share("target", params.target);
        share("tolerance", params.tolerance);
        if !(params.peak_rps > 0.0 && params.peak_rps.is_finite()) {
            errors.push(ParamError::at(&["peak_rps"], "must be a positive rate"));
        }
        if params.draws.is_empty() {
            errors.push(ParamError::at(&["draws"], "is empty"));
        }
        if errors.is_empty() {
            Ok(Box::new(PlanStage { params }))
        } else {
            Err(errors)
        }
    }
}

struct PlanStage {
    params: Params,
}

impl Stage for PlanStage {
    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::required("workload", &WorkloadRow::TABLE),
            Input::required("candidates", &CandidateRow::TABLE),
            calibration_input(),
        ]
    }

    fn files(&self) -> Vec<FileParam> {
        backend_files(&self.params.backend)
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&PlanRow::TABLE),
            Output::table(&TrialRow::TABLE),
        ]
    }

    fn key_params(&self) -> Value {
        json!(self.params)
    }

    fn pass_env(&self) -> Vec<String> {
        self.params.backend.pass_env()
    }

    fn measured(&self) -> bool {
        self.params.backend.is_real()
    }

    fn identity(&self) -> BTreeMap<String, String> {
        TrialRunner::identity(&self.params.backend)
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let workload: Vec<WorkloadRow> = ctx.rows("workload")?;
        let candidates: Vec<CandidateRow> = ctx.rows("candidates")?;
        let runner = TrialRunner::new(ctx, &self.params.backend, &self.params.protocol, &workload)?;
        let span_s = self.arrivals_last_s(&workload);
        let mut planned: Vec<&CandidateRow> = candidates
            .iter()
            .filter(|row| row.recommended.is_some() || row.sampler == "baseline")
            .collect();
        planned.sort_by_key(|row| row.recommended.unwrap_or(u64::MAX));
        let mut rows = Vec::new();
        let mut trials = Vec::new();
        for (i, candidate) in planned.iter().enumerate() {
            ctx.progress(i as u64, planned.len() as u64, &candidate.config_name);
            rows.push(self.plan_for(candidate, &runner, span_s, &mut trials)?);
        }
        ctx.write_rows("plan", &rows)?;
        ctx.write_rows("trials", &trials)
    }
}

impl PlanStage {
    fn plan_for(
        &self,
        candidate: &CandidateRow,
        runner: &TrialRunner<'_>,
        span_s: f64,
        all: &mut Vec<TrialRow>,
    ) -> Result<PlanRow, StageError> {
        let config = Config::from_json(&candidate.config_name, &candidate.config)
            .map_err(|error| StageError::user(format!("`{}`: {error}", candidate.config_name)))?;
        // Output tokens per request of what was sustained: what a rate is worth in tokens.
        let mut tokens_per_request = None;
        let mut n_trials = 0;
        let found = capacity(self.params.tolerance, |scale| {
            let rows = self.trials_at(&config, scale, runner)?;
            n_trials += rows.len() as u64;
            let rows_at: Vec<&TrialRow> = rows.iter().collect();
            let load = load(&rows_at, self.params.target, span_s / scale);
            if matches!(load, Load::Sustained(_)) {
                let first = &rows[0];
                tokens_per_request = first.tok_s.zip(first.rps).map(|(tokens, rps)| tokens / rps);
            }
            all.extend(rows);
            Ok(load)
        })?;
        Ok(self.row(candidate, &found, tokens_per_request, n_trials))
    }

    /// Seconds over which first turns arrive, in the shortest of the draws.
    fn arrivals_last_s(&self, workload: &[WorkloadRow]) -> f64 {
        let last = |draw: &u64| {
            let rows = workload.iter().filter(|row| row.draw == *draw);
            rows.filter_map(|row| row.arrival_s).fold(0.0, f64::max)
        };
        self.params
            .draws
            .iter()
            .map(last)
            .fold(f64::INFINITY, f64::min)
    }

    fn trials_at(
        &self,
        config: &Config,
        rate_scale: f64,
        runner: &TrialRunner<'_>,
    ) -> Result<Vec<TrialRow>, StageError> {
        let specs: Vec<TrialSpec> = self
            .params
            .draws
            .iter()
            .map(|draw| TrialSpec {
                config: config.clone(),
                draw: *draw,
                rate_scale,
                keep_requests: false,
            })
            .collect();
        let trials = runner.run(&specs)?;
        Ok(trials.into_iter().map(|trial| trial.row).collect())
    }

    fn row(
        &self,
        candidate: &CandidateRow,
        found: &Capacity,
        tokens_per_request: Option<f64>,
        n_trials: u64,
    ) -> PlanRow {
        let Params {
            peak_rps,
            headroom,
            spares,
            ..
        } = self.params;
        let carrying = found
            .max_rps
            .map(|rps| (peak_rps / (rps * headroom)).ceil() as u64);
        let replicas = carrying.map(|replicas| replicas + spares);
        let cost_usd_h = replicas
            .zip(candidate.cost_usd_h)
            .map(|(n, usd)| n as f64 * usd);
        let tokens_h = tokens_per_request.map(|tokens| peak_rps * tokens * SECONDS_PER_HOUR);
        PlanRow {
            config_id: candidate.config_id.clone(),
            config_name: candidate.config_name.clone(),
            slo: objective(&self.params.protocol.slo, self.params.target),
            max_rps: found.max_rps,
            limit_rps: found.limit_rps,
            limited_by: found.limited_by.clone(),
            peak_rps,
            headroom,
            replicas: carrying,
            spares,
            gpus_per_replica: candidate.gpus,
            gpus: replicas.map(|n| n * candidate.gpus),
            cost_usd_month: cost_usd_h.map(|usd| usd * HOURS_PER_MONTH),
            cost_per_mtok: cost_usd_h
                .zip(tokens_h)
                .map(|(usd, tokens)| usd / tokens * 1e6),
            n_trials,
            provenance: candidate.provenance,
        }
    }
}

/// The objective in words.
fn objective(slo: &Slo, target: f64) -> String {
    let limits = [
        ("TTFT", slo.ttft_p95_s),
        ("TPOT", slo.tpot_p95_s),
        ("E2E", slo.e2e_p95_s),
    ];
    let set: Vec<String> = limits
        .into_iter()
        .filter_map(|(name, limit)| Some(format!("{name} <= {} s", limit?)))
        .collect();
    if set.is_empty() {
        return "every request answered".to_owned();
    }
    format!(
        "{} for {:.0} % of the requests",
        set.join(", "),
        target * 100.0
    )
}
