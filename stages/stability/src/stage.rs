use std::collections::BTreeMap;

use sbt_engine::{
    FileParam, Input, Output, ParamError, Stage, StageContext, StageError, StageKind, parse_params,
};
use sbt_schemas::{
    AttributionRow, CandidateRow, CounterfactualRow, QualityRow, RequestRow, Row, StabilityRow,
    TelemetryRow, TrialRow, WorkloadRow,
};
use sbt_trials::{
    Quality, Trial, TrialRunner, TrialSpec, attribute, backend_files, calibration_input,
};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::counterfactual::counterfactual;
use crate::finalists::{Finalist, finalists};
use crate::judged::Judged;
use crate::params::Params;
use crate::table::stability;

/// The kind `stability`.
pub struct StabilityKind;

impl StageKind for StabilityKind {
    fn name(&self) -> &'static str {
        "stability"
    }

    fn about(&self) -> &'static str {
        "Measures finalists and baseline again on fresh common draws, with intervals and tests"
    }

    fn revision(&self) -> u32 {
        3
    }

    fn params(&self) -> Schema {
        schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        r#"draws = [1, 2, 3, 4, 5]
backend = { kind = "simulator", server = "vllm", model = "llama-3.1-8b", gpu = "h100-sxm", gpus = 2 }
goals = { minimize = ["e2e_p95_s"], subject_to = ["ttft_p95_s <= 1.0"] }
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let goals = params.goals.check().into_iter();
        let mut errors: Vec<ParamError> = goals.map(|error| error.under("goals")).collect();
        errors.extend(params.backend.problems(&["backend"]));
        if params.draws.is_empty() {
            errors.push(ParamError::at(&["draws"], "is empty"));
        }
        if errors.is_empty() {
            Ok(Box::new(StabilityStage { params }))
        } else {
            Err(errors)
        }
    }
}

struct StabilityStage {
    params: Params,
}

impl Stage for StabilityStage {
    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::required("workload", &WorkloadRow::TABLE),
            Input::required("candidates", &CandidateRow::TABLE),
            Input::required("baseline", &CandidateRow::TABLE),
            Input::optional("quality", &QualityRow::TABLE),
            calibration_input(),
        ]
    }

    fn files(&self) -> Vec<FileParam> {
        backend_files(&self.params.backend)
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&StabilityRow::TABLE),
            Output::table(&CandidateRow::TABLE),
            Output::table(&TrialRow::TABLE),
            Output::table(&RequestRow::TABLE),
            Output::table(&TelemetryRow::TABLE),
            Output::table(&AttributionRow::TABLE),
            Output::table(&CounterfactualRow::TABLE),
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
        let baseline: Vec<CandidateRow> = ctx.rows("baseline")?;
        let baseline = baseline
            .first()
            .ok_or_else(|| StageError::user("input `baseline` has no configuration"))?;
        let candidates: Vec<CandidateRow> = ctx.rows("candidates")?;
        let finalists = finalists(baseline, &candidates, self.params.finalists)?;
        let workload: Vec<WorkloadRow> = ctx.rows("workload")?;
        let runner = TrialRunner::new(ctx, &self.params.backend, &self.params.protocol, &workload)?;
        let runner = runner.expecting((finalists.len() * self.params.draws.len()) as u64);
        let trials = self.measure(&runner, &finalists)?;
        let server = self.params.backend.server().map_err(StageError::user)?;
        let quality = Quality::new(&server, ctx.rows_if_wired("quality")?.unwrap_or_default());
        let judged = Judged {
            finalists: &finalists,
            trials: &trials,
            quality: &quality,
            goals: &self.params.goals,
        };
        let judged = judged.rows(self.params.top)?;
        let requests = self.requests(&judged, &trials);
        let shown = finalists.iter().zip(shown(&judged));
        let shown = shown.filter_map(|(finalist, shown)| shown.then_some(&finalist.config));
        let counterfactual =
            counterfactual(&runner, &shown.collect::<Vec<_>>(), &self.params.draws)?;
        ctx.write_rows("counterfactual", &counterfactual)?;
        let over_draws = stability(&finalists, &trials, &judged, &self.params.goals);
        ctx.write_rows("stability", &over_draws)?;
        ctx.write_rows("candidates", &judged)?;
        let rows: Vec<TrialRow> = trials
            .iter()
            .flatten()
            .map(|trial| trial.row.clone())
            .collect();
        ctx.write_rows("trials", &rows)?;
        let telemetry = trials.iter().flatten().flat_map(|trial| &trial.telemetry);
        let telemetry: Vec<TelemetryRow> = telemetry.cloned().collect();
        ctx.write_rows("telemetry", &telemetry)?;
        ctx.write_rows("attribution", &attribute(&requests))?;
        ctx.write_rows("requests", &requests)
    }
}

impl StabilityStage {
    /// Trials of each finalist over the draws, both in order.
    fn measure(
        &self,
        runner: &TrialRunner<'_>,
        finalists: &[Finalist],
    ) -> Result<Vec<Vec<Trial>>, StageError> {
        let specs: Vec<TrialSpec> = finalists
            .iter()
            .flat_map(|finalist| {
                self.params.draws.iter().map(|draw| TrialSpec {
                    keep_requests: true,
                    ..TrialSpec::new(finalist.config.clone(), *draw)
                })
            })
            .collect();
        let trials = runner.run(&specs)?;
        Ok(trials
            .chunks(self.params.draws.len())
            .map(<[Trial]>::to_vec)
            .collect())
    }

    /// What the attribution rests on.
    fn requests(&self, judged: &[CandidateRow], trials: &[Vec<Trial>]) -> Vec<RequestRow> {
        let of_shown = trials.iter().zip(shown(judged)).filter(|(_, shown)| *shown);
        of_shown
            .flat_map(|(trials, _)| trials.iter().flat_map(|trial| trial.requests.clone()))
            .collect()
    }
}

/// Whether the report says where the time of a finalist goes: the baseline's, and that of the
/// first recommendation.
fn shown(judged: &[CandidateRow]) -> impl Iterator<Item = bool> {
    let numbered = judged.iter().enumerate();
    numbered.map(|(i, row)| i == 0 || row.recommended == Some(1))
}
