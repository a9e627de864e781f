use std::collections::{BTreeMap, BTreeSet};

use sbt_engine::{
    Digest, FileParam, Input, Output, ParamError, Stage, StageContext, StageError, StageKind,
    parse_params,
};
use sbt_schemas::{
    AttributionRow, CandidateRow, IntervalRow, RequestRow, Row, TelemetryRow, TrialRow, WorkloadRow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::intervals::intervals;
use crate::step_source::calibration;
use crate::{
    Backend, Config, Goals, Judge, Protocol, Trial, TrialRunner, TrialSpec, aggregate, attribute,
    backend_files, calibration_input,
};

/// Name of the configuration that others are compared with.
const BASELINE: &str = "baseline";

/// Runs listed configurations on a workload.
pub struct TrialsKind;

/// `with` of a trials stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// What serves the requests.
    backend: Backend,
    /// How every trial is run and judged.
    #[serde(default)]
    protocol: Protocol,
    /// Configurations to run, each with a name and its knobs. The one named `baseline` is what
    /// others are compared with.
    configs: Vec<Config>,
    /// Draws of the workload to serve, each by every configuration.
    #[serde(default = "first_draw")]
    draws: Vec<u64>,
    /// Factor on the arrival rate.
    #[serde(default = "unscaled")]
    rate_scale: f64,
    /// Draws of the coefficients of a wired `calibration`, from each of which every trial is
    /// simulated again: table `intervals` tells between which bounds the metrics then lie. 0:
    /// none.
    #[serde(default)]
    posterior_draws: u64,
}

fn first_draw() -> Vec<u64> {
    vec![0]
}

fn unscaled() -> f64 {
    1.0
}

impl StageKind for TrialsKind {
    fn name(&self) -> &'static str {
        "trials"
    }

    fn about(&self) -> &'static str {
        "runs listed configurations on a workload"
    }

    fn revision(&self) -> u32 {
        4
    }

    fn params(&self) -> schemars::Schema {
        schemars::schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        r#"
backend = { kind = "simulator", server = "vllm", model = "llama-3.1-8b", gpu = "h100-sxm", gpus = 1 }
protocol = { warmup_requests = 20, client = { timeout_s = 20.0, retries = 2 }, slo = { ttft_p95_s = 1.0 } }
configs = [
    { name = "baseline", max_num_seqs = 96, max_num_batched_tokens = 16384 },
    { name = "wide", max_num_seqs = 256 },
]
draws = [0, 1]
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let problems = params.problems();
        if problems.is_empty() {
            Ok(Box::new(Trials { params }))
        } else {
            Err(problems)
        }
    }
}

impl Params {
    fn problems(&self) -> Vec<ParamError> {
        let mut problems = self.backend.problems(&["backend"]);
        let of_protocol = self
            .backend
            .problems_of_protocol(&self.protocol, &["protocol"]);
        problems.extend(of_protocol);
        if self.configs.is_empty() {
            problems.push(ParamError::at(
                &["configs"],
                "expected at least one configuration",
            ));
        }
        let mut seen = BTreeMap::new();
        for (index, config) in self.configs.iter().enumerate() {
            let at = index.to_string();
            problems.extend(self.backend.problems_of_config(config, &["configs", &at]));
            if let Some(first) = seen.insert(config.id(), index) {
                let same = format!("sets the same knobs as configuration {first}");
                problems.push(ParamError::at(&["configs", &at], same));
            }
        }
        if self.draws.is_empty() {
            problems.push(ParamError::at(&["draws"], "expected at least one draw"));
        }
        if self.draws.iter().collect::<BTreeSet<_>>().len() < self.draws.len() {
            problems.push(ParamError::at(&["draws"], "a draw is listed twice"));
        }
        if !(self.rate_scale > 0.0 && self.rate_scale.is_finite()) {
            let message = format!("is {}, expected a number above 0", self.rate_scale);
            problems.push(ParamError::at(&["rate_scale"], message));
        }
        if self.posterior_draws > 0 && self.backend.is_real() {
            let message = "needs the simulator, whose coefficients a calibration leaves open";
            problems.push(ParamError::at(&["posterior_draws"], message));
        }
        problems
    }
}

struct Trials {
    params: Params,
}

impl Stage for Trials {
    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::required("workload", &WorkloadRow::TABLE),
            calibration_input(),
        ]
    }

    fn files(&self) -> Vec<FileParam> {
        backend_files(&self.params.backend)
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&TrialRow::TABLE),
            Output::table(&RequestRow::TABLE),
            Output::table(&TelemetryRow::TABLE),
            Output::table(&CandidateRow::TABLE),
            Output::table(&AttributionRow::TABLE),
            Output::table(&IntervalRow::TABLE),
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
        let Params {
            backend,
            protocol,
            configs,
            draws,
            rate_scale,
            posterior_draws,
        } = &self.params;
        let workload: Vec<WorkloadRow> = ctx.rows("workload")?;
        let specs = configs.iter().flat_map(|config| {
            draws.iter().map(|draw| TrialSpec {
                rate_scale: *rate_scale,
                keep_requests: true,
                ..TrialSpec::new(config.clone(), *draw)
            })
        });
        let specs: Vec<TrialSpec> = specs.collect();
        let runner = TrialRunner::new(ctx, backend, protocol, &workload)?;
        let calibration = if *posterior_draws > 0 {
            calibration(ctx)?
        } else {
            Vec::new()
        };
        let rounds = if calibration.is_empty() {
            1
        } else {
            1 + posterior_draws
        };
        let mut runner = runner.expecting(specs.len() as u64 * rounds);
        let trials = runner.run(&specs)?;
        write(ctx, &trials, draws.len())?;
        let drawn = (
            *posterior_draws,
            Digest::of_value("posterior", &json!(posterior_draws)).seed(),
        );
        let intervals = intervals(
            &mut runner,
            &calibration,
            drawn,
            &specs,
            &trials,
            draws.len(),
        )?;
        ctx.write_rows(IntervalRow::TABLE.name, &intervals)
    }
}

fn write(ctx: &StageContext, trials: &[Trial], draws: usize) -> Result<(), StageError> {
    let rows: Vec<TrialRow> = trials.iter().map(|trial| trial.row.clone()).collect();
    let requests = trials.iter().flat_map(|trial| &trial.requests);
    let requests: Vec<RequestRow> = requests.cloned().collect();
    let telemetry = trials.iter().flat_map(|trial| &trial.telemetry);
    let telemetry: Vec<TelemetryRow> = telemetry.cloned().collect();
    ctx.write_rows(TrialRow::TABLE.name, &rows)?;
    ctx.write_rows(RequestRow::TABLE.name, &requests)?;
    ctx.write_rows(TelemetryRow::TABLE.name, &telemetry)?;
    ctx.write_rows(CandidateRow::TABLE.name, &candidates(&rows, draws))?;
    ctx.write_rows(AttributionRow::TABLE.name, &attribute(&requests))
}

/// One candidate per configuration, without objectives: what ended `ok` is feasible.
fn candidates(rows: &[TrialRow], draws: usize) -> Vec<CandidateRow> {
    let judge = Judge::new(&Goals::default(), None).expect("no goals, no error");
    let mut evaluations: BTreeMap<&str, u64> = BTreeMap::new();
    let mut candidates: Vec<CandidateRow> = Vec::new();
    for of_config in rows.chunks(draws) {
        let named_baseline = of_config[0].config_name == BASELINE;
        let sampler = if named_baseline { BASELINE } else { "manual" };
        let evaluation = evaluations.entry(sampler).or_default();
        let trials: Vec<&TrialRow> = of_config.iter().collect();
        let mut candidate = aggregate(sampler, *evaluation, &trials);
        *evaluation += 1;
        judge.assess(&mut candidate);
        candidates.push(candidate);
    }
    judge.rank(&mut candidates);
    candidates
}

#[cfg(test)]
mod tests;
