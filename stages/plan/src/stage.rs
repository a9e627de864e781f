use std::collections::BTreeMap;

use sbt_engine::{
    FileParam, Input, Output, ParamError, Stage, StageContext, StageError, StageKind, parse_params,
};
use sbt_schemas::{
    CandidateRow, PlanRow, PlanSensitivityRow, RateCurveRow, Row, TrialRow, WorkloadRow,
};
use sbt_trials::{Config, TrialRunner, backend_files, calibration_input};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::cost::Cost;
use crate::curve::rate_curve;
use crate::found::{Found, Pooled};
use crate::params::Params;
use crate::replica::Replica;

/// The kind `plan`.
pub struct PlanKind;

impl StageKind for PlanKind {
    fn name(&self) -> &'static str {
        "plan"
    }

    fn about(&self) -> &'static str {
        "Finds the highest sustainable rate of a replica, alone and together, and sizes a fleet for a demand"
    }

    fn revision(&self) -> u32 {
        2
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
            Output::table(&PlanSensitivityRow::TABLE),
            Output::table(&RateCurveRow::TABLE),
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
        let mut planned: Vec<&CandidateRow> = candidates
            .iter()
            .filter(|row| row.recommended.is_some() || row.sampler == "baseline")
            .collect();
        planned.sort_by_key(|row| row.recommended.unwrap_or(u64::MAX));
        let mut written = Tables::default();
        for (i, candidate) in planned.iter().enumerate() {
            ctx.progress(i as u64, planned.len() as u64, &candidate.config_name);
            self.plan_for(ctx, candidate, &runner, &workload, &mut written)?;
        }
        ctx.write_rows("plan", &written.plan)?;
        ctx.write_rows("plan_sensitivity", &written.sensitivity)?;
        ctx.write_rows("rate_curve", &written.curve)?;
        ctx.write_rows("trials", &written.trials)
    }
}

/// What the stage writes.
#[derive(Default)]
struct Tables {
    plan: Vec<PlanRow>,
    sensitivity: Vec<PlanSensitivityRow>,
    curve: Vec<RateCurveRow>,
    trials: Vec<TrialRow>,
}

impl PlanStage {
    fn plan_for(
        &self,
        ctx: &StageContext,
        candidate: &CandidateRow,
        runner: &TrialRunner<'_>,
        workload: &[WorkloadRow],
        written: &mut Tables,
    ) -> Result<(), StageError> {
        let params = &self.params;
        let config = Config::from_json(&candidate.config_name, &candidate.config)
            .map_err(|error| StageError::user(format!("`{}`: {error}", candidate.config_name)))?;
        let replica = Replica {
            runner,
            workload,
            config: &config,
            target: params.target,
        };
        let mut found = Found::of_one(&replica, params)?;
        found.pooled = Pooled::of(ctx, params, workload, &config, &found)?;
        let curve = match found.capacity.scale {
            // A curve on a real server would take as long as the search for its end.
            Some(scale) if !params.backend.is_real() => {
                rate_curve(&replica, candidate, &params.draws, scale)?
            }
            Some(_) | None => Vec::new(),
        };
        let of_curve: Vec<(f64, bool)> =
            curve.iter().map(|r| (r.rate_scale, r.sustained)).collect();
        let cost = Cost {
            params,
            candidate,
            found: &found,
        };
        written.plan.push(cost.row(&of_curve));
        written.sensitivity.extend(cost.sensitivity());
        written.curve.extend(curve);
        written.trials.extend(found.trials);
        Ok(())
    }
}
