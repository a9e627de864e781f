use std::collections::BTreeMap;

use arrow::array::{Array, StringArray};
use sbt_engine::{
    FileParam, Input, Output, ParamError, Stage, StageContext, StageError, StageKind, Table,
    parse_params,
};
use sbt_schemas::{
    CandidateRow, Provenance, Row, StabilityRow, StudyShrinkageRow, TrialRow, WorkloadRow,
};
use sbt_statistics::{mean, median};
use sbt_trials::{Config, TrialRunner, TrialSpec, backend_files};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::params::{ShrinkageParams, draws, of_backend};
use crate::truth::number;

/// The kind `shrinkage`.
pub struct ShrinkageKind;

impl StageKind for ShrinkageKind {
    fn name(&self) -> &'static str {
        "shrinkage"
    }

    fn about(&self) -> &'static str {
        "Compares what studies said of the configurations that they recommend with the true values"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> Schema {
        schema_for!(ShrinkageParams)
    }

    fn example(&self) -> &'static str {
        r#"scenario = "short_qa"
backend = { kind = "simulator", server = "vllm", model = "llama-3.1-8b", gpu = "l40s", gpus = 1 }
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: ShrinkageParams = parse_params(with)?;
        let mut errors = of_backend(&params.backend);
        for metric in &params.metrics {
            if TrialRow::TABLE.column(metric).is_none() {
                let message = format!("no metric is named `{metric}`");
                errors.push(ParamError::at(&["metrics"], message));
            }
        }
        if errors.is_empty() {
            Ok(Box::new(Shrinkage { params }))
        } else {
            Err(errors)
        }
    }
}

struct Shrinkage {
    params: ShrinkageParams,
}

/// What one study said of the configuration that it recommends.
struct Study {
    config: Config,
    said: Vec<StabilityRow>,
}

impl Stage for Shrinkage {
    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::required("workload", &WorkloadRow::TABLE),
            Input::required("search", &CandidateRow::TABLE),
            Input::required("candidates", &CandidateRow::TABLE),
            Input::required("stability", &StabilityRow::TABLE),
        ]
    }

    fn files(&self) -> Vec<FileParam> {
        backend_files(&self.params.backend)
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::table(&StudyShrinkageRow::TABLE)]
    }

    fn key_params(&self) -> Value {
        json!(self.params)
    }

    fn identity(&self) -> BTreeMap<String, String> {
        TrialRunner::identity(&self.params.backend)
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let params = &self.params;
        let workload: Vec<WorkloadRow> = ctx.rows("workload")?;
        let draws = draws(&workload);
        let runner = TrialRunner::new(ctx, &params.backend, &params.protocol, &workload)?;
        let compared = self.by_study::<CandidateRow>(ctx, "search")?;
        let judged = self.by_study::<CandidateRow>(ctx, "candidates")?;
        let mut said = self.by_study::<StabilityRow>(ctx, "stability")?;
        let mut studies = Vec::new();
        for (name, rows) in &judged {
            let first = rows.iter().find(|row| row.recommended == Some(1));
            let Some(first) = first else { continue };
            let config = Config::from_json(&first.config_name, &first.config)
                .map_err(|error| StageError::user(format!("`{}`: {error}", first.config_name)))?;
            let mut said = said.remove(name).unwrap_or_default();
            said.retain(|row| row.config_id == first.config_id);
            studies.push(Study { config, said });
        }
        if studies.is_empty() {
            return Err(StageError::user("no study recommends a configuration"));
        }
        let runner = runner.expecting((studies.len() * draws.len()) as u64);
        let truths = truths(&runner, &studies, &draws)?;
        let total: usize = compared.values().map(Vec::len).sum();
        let candidates = total as f64 / compared.len().max(1) as f64;
        let rows = params.metrics.iter();
        let rows = rows.filter_map(|metric| self.row(metric, candidates, &studies, &truths));
        ctx.write_rows("study_shrinkage", &rows.collect::<Vec<_>>())
    }
}

impl Shrinkage {
    /// Rows of an input by the study that they are of.
    fn by_study<R: Row>(
        &self,
        ctx: &StageContext,
        input: &str,
    ) -> Result<BTreeMap<String, Vec<R>>, StageError> {
        let rows: Vec<R> = ctx.rows(input)?;
        let missing = || {
            let axis = &self.params.axis;
            StageError::user(format!(
                "input `{input}` has no column `{axis}`: it must come from a stage with that axis"
            ))
        };
        let column = ctx.tables.get(input).and_then(|table: &Table| {
            let column = table.batch.column_by_name(&self.params.axis)?;
            column.as_any().downcast_ref::<StringArray>().cloned()
        });
        let column = column.ok_or_else(missing)?;
        let mut by_study: BTreeMap<String, Vec<R>> = BTreeMap::new();
        for (place, row) in rows.into_iter().enumerate().take(column.len()) {
            let study = column.value(place).to_owned();
            by_study.entry(study).or_default().push(row);
        }
        Ok(by_study)
    }

    fn row(
        &self,
        metric: &str,
        candidates: f64,
        studies: &[Study],
        truths: &[Vec<TrialRow>],
    ) -> Option<StudyShrinkageRow> {
        let compared = studies.iter().zip(truths).filter_map(|(study, truth)| {
            let said = study.said.iter().find(|row| row.metric == *metric)?;
            let values: Option<Vec<f64>> = truth.iter().map(|row| number(row, metric)).collect();
            Some((said, median(&values?)?.median))
        });
        let compared: Vec<(&StabilityRow, f64)> = compared.collect();
        let searched = compared.iter();
        let searched = searched.filter_map(|(said, truth)| Some(said.search_value? / truth - 1.0));
        let searched = mean(&searched.collect::<Vec<f64>>())?;
        let printed = compared
            .iter()
            .map(|(said, truth)| said.value / truth - 1.0);
        let printed = mean(&printed.collect::<Vec<f64>>())?;
        let held = compared.iter().filter_map(|(said, truth)| {
            let (low, high) = said.lo.zip(said.hi)?;
            Some(f64::from(u8::from(low <= *truth && *truth <= high)))
        });
        let held = mean(&held.collect::<Vec<f64>>()).map(|held| held.mean);
        Some(StudyShrinkageRow {
            scenario: self.params.scenario.clone(),
            metric: metric.to_owned(),
            n_studies: compared.len() as u64,
            candidates,
            search_error: searched.mean,
            search_error_lo: searched.bounds.map(|(low, _)| low),
            search_error_hi: searched.bounds.map(|(_, high)| high),
            printed_error: printed.mean,
            printed_error_lo: printed.bounds.map(|(low, _)| low),
            printed_error_hi: printed.bounds.map(|(_, high)| high),
            held,
            truth_draws: truths.first().map_or(0, Vec::len) as u64,
            provenance: Provenance::Simulated,
        })
    }
}

/// Trials of each study's configuration over all draws.
fn truths(
    runner: &TrialRunner<'_>,
    studies: &[Study],
    draws: &[u64],
) -> Result<Vec<Vec<TrialRow>>, StageError> {
    let specs = studies.iter().flat_map(|study| {
        let of_draws = draws.iter();
        of_draws.map(|draw| TrialSpec::new(study.config.clone(), *draw))
    });
    let rows = runner.simulate(&specs.collect::<Vec<_>>(), |trial| trial.row)?;
    Ok(rows.chunks(draws.len()).map(<[TrialRow]>::to_vec).collect())
}
