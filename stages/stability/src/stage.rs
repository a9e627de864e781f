use std::collections::BTreeMap;

use sbt_engine::{
    FileParam, Input, Output, ParamError, Stage, StageContext, StageError, StageKind, parse_params,
};
use sbt_schemas::{
    AttributionRow, CandidateRow, Cell, CounterfactualRow, Provenance, QualityRow, RequestRow, Row,
    StabilityRow, TelemetryRow, TrialRow, WorkloadRow,
};
use sbt_trials::{
    Judge, Quality, Trial, TrialRunner, TrialSpec, aggregate, attribute, backend_files,
    calibration_input,
};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::counterfactual::counterfactual;
use crate::finalists::{Finalist, finalists};
use crate::intervals::interval;
use crate::params::Params;

/// Metrics that the table compares, besides `quality`.
const METRICS: &[&str] = &[
    "ttft_p50_s",
    "ttft_p95_s",
    "ttft_p99_s",
    "tpot_p50_s",
    "tpot_p95_s",
    "e2e_p50_s",
    "e2e_p95_s",
    "e2e_p99_s",
    "tok_s",
    "goodput_rps",
    "slo_share",
    "timeout_rate",
    "error_rate",
    "tail_amp",
    "vram_peak_mb",
    "kv_peak",
    "cost_per_mtok",
    "cost_per_goodput_mtok",
];

/// The kind `stability`.
pub struct StabilityKind;

impl StageKind for StabilityKind {
    fn name(&self) -> &'static str {
        "stability"
    }

    fn about(&self) -> &'static str {
        "Measures finalists and baseline again on fresh common draws, with t-intervals"
    }

    fn revision(&self) -> u32 {
        2
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
        let judged = self.judge(&finalists, &trials, &quality)?;
        let requests = self.requests(&judged, &trials);
        let shown = finalists.iter().zip(shown(&judged));
        let shown = shown.filter_map(|(finalist, shown)| shown.then_some(&finalist.config));
        let counterfactual =
            counterfactual(&runner, &shown.collect::<Vec<_>>(), &self.params.draws)?;
        ctx.write_rows("counterfactual", &counterfactual)?;
        ctx.write_rows("stability", &stability(&finalists, &trials, &judged))?;
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
                    config: finalist.config.clone(),
                    draw: *draw,
                    rate_scale: 1.0,
                    keep_requests: true,
                })
            })
            .collect();
        let trials = runner.run(&specs)?;
        Ok(trials
            .chunks(self.params.draws.len())
            .map(<[Trial]>::to_vec)
            .collect())
    }

    /// The finalists by their second measurement, judged against the baseline's.
    fn judge(
        &self,
        finalists: &[Finalist],
        trials: &[Vec<Trial>],
        quality: &Quality<'_>,
    ) -> Result<Vec<CandidateRow>, StageError> {
        let mut rows = Vec::with_capacity(finalists.len());
        for (i, (finalist, trials)) in finalists.iter().zip(trials).enumerate() {
            let trials: Vec<&TrialRow> = trials.iter().map(|trial| &trial.row).collect();
            let mut row = aggregate(&finalist.sampler, i as u64, &trials);
            quality.fill(&mut row, &finalist.config);
            rows.push(row);
        }
        let judge = Judge::new(&self.params.goals, rows.first()).map_err(StageError::user)?;
        for (row, finalist) in rows.iter_mut().zip(finalists) {
            judge.assess(row);
            quality.gate(row, &finalist.config);
        }
        judge.rank(&mut rows);
        judge.recommend(&mut rows, self.params.top as usize);
        Ok(rows)
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

fn stability(
    finalists: &[Finalist],
    trials: &[Vec<Trial>],
    judged: &[CandidateRow],
) -> Vec<StabilityRow> {
    let mut rows = Vec::new();
    for (i, ((finalist, trials_of), judged_row)) in
        finalists.iter().zip(trials).zip(judged).enumerate()
    {
        for metric in METRICS {
            let reference = (i > 0).then_some(trials[0].as_slice());
            rows.extend(measured(metric, finalist, trials_of, reference));
        }
        let reference = judged.first().filter(|_| i > 0).and_then(|row| row.quality);
        rows.extend(
            judged_row
                .quality
                .map(|score| inferred_quality(finalist, score, reference)),
        );
    }
    rows
}

/// A metric over the draws that have it, and its difference to the baseline, paired by draw.
fn measured(
    metric: &str,
    finalist: &Finalist,
    trials: &[Trial],
    reference: Option<&[Trial]>,
) -> Option<StabilityRow> {
    let values: Vec<Option<f64>> = trials
        .iter()
        .map(|trial| number(&trial.row, metric))
        .collect();
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    let over_seeds = interval(&known)?;
    let ratios: Vec<f64> = reference
        .into_iter()
        .flatten()
        .map(|trial| number(&trial.row, metric))
        .zip(&values)
        .filter_map(|(before, after)| Some((*after)? / before.filter(|v| *v != 0.0)? - 1.0))
        .collect();
    let delta = interval(&ratios);
    Some(StabilityRow {
        config_id: finalist.config.id(),
        config_name: finalist.config.name.clone(),
        metric: metric.to_owned(),
        mean: over_seeds.mean,
        sd: over_seeds.sd,
        lo: over_seeds.lo,
        hi: over_seeds.hi,
        n_seeds: over_seeds.n,
        search_value: number(&finalist.seen, metric),
        delta: delta.map(|delta| delta.mean),
        delta_lo: delta.and_then(|delta| delta.lo),
        delta_hi: delta.and_then(|delta| delta.hi),
        provenance: trials.first()?.row.provenance,
    })
}

/// Quality is not measured by the trials: it has no seeds and no interval over them.
fn inferred_quality(finalist: &Finalist, score: f64, reference: Option<f64>) -> StabilityRow {
    StabilityRow {
        config_id: finalist.config.id(),
        config_name: finalist.config.name.clone(),
        metric: "quality".to_owned(),
        mean: score,
        sd: None,
        lo: None,
        hi: None,
        n_seeds: 0,
        search_value: finalist.seen.quality,
        delta: reference
            .filter(|v| *v > 0.0)
            .map(|reference| score / reference - 1.0),
        delta_lo: None,
        delta_hi: None,
        provenance: Provenance::Inferred,
    }
}

fn number<R: Row>(row: &R, metric: &str) -> Option<f64> {
    match row.cell(metric)? {
        Cell::Number(value) => Some(value),
        Cell::Null | Cell::Bool(_) | Cell::Text(_) => None,
    }
}
