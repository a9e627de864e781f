use std::collections::{BTreeMap, BTreeSet};

use sbt_engine::{
    Input, Output, OutputKind, ParamError, Stage, StageContext, StageError, StageKind, Written,
    parse_params,
};
use sbt_schemas::{CandidateRow, QualityRow, Row, StudyRow, WorkloadRow};
use sbt_trials::{Backend, TrialRunner};
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::curve::rows;
use crate::page::page;
use crate::params::Params;
use crate::searches::searches;
use crate::truth::Truth;

/// The kind `study`.
pub struct StudyKind;

impl StageKind for StudyKind {
    fn name(&self) -> &'static str {
        "study"
    }

    fn about(&self) -> &'static str {
        "Compares samplers by what they truly found, over seeds and scenarios"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> Schema {
        schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        r#"draws = [1, 2, 3]
goals = { minimize = ["e2e_p95_s", "cost_per_mtok"], subject_to = ["ttft_p95_s <= 1.0"] }
baseline = { name = "baseline", max_num_seqs = 96 }
[backends]
as_sold = { kind = "simulator", server = "vllm", model = "llama-3.1-8b", gpu = "h100-sxm", gpus = 2 }
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let problems = params.problems();
        if problems.is_empty() {
            Ok(Box::new(StudyStage { params }))
        } else {
            Err(problems)
        }
    }
}

struct StudyStage {
    params: Params,
}

impl Stage for StudyStage {
    fn inputs(&self) -> Vec<Input> {
        vec![
            Input::required("workload", &WorkloadRow::TABLE),
            Input::required("candidates", &CandidateRow::TABLE),
            Input::optional("reference", &CandidateRow::TABLE),
            Input::optional("quality", &QualityRow::TABLE),
        ]
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&StudyRow::TABLE),
            Output {
                name: "page".to_owned(),
                kind: OutputKind::Folder,
            },
        ]
    }

    fn key_params(&self) -> Value {
        json!(self.params)
    }

    fn pass_env(&self) -> Vec<String> {
        let backends = self.params.backends.values();
        backends.flat_map(Backend::pass_env).collect()
    }

    fn measured(&self) -> bool {
        self.params.backends.values().any(Backend::is_real)
    }

    fn identity(&self) -> BTreeMap<String, String> {
        let backends = self.params.backends.iter();
        let identities = backends.flat_map(|(scenario, backend)| {
            let parts = TrialRunner::identity(backend).into_iter();
            parts.map(move |(part, value)| (format!("{scenario}.{part}"), value))
        });
        identities.collect()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let compared = searches(ctx, "candidates")?;
        let reference = searches(ctx, "reference")?;
        let scenarios: BTreeSet<&str> = compared.keys().map(|s| &*s.scenario).collect();
        let mut study = Vec::new();
        for scenario in scenarios {
            let all = compared.iter().chain(&reference);
            let here = all.filter(|(search, _)| search.scenario == scenario);
            let seen: Vec<&CandidateRow> = here.flat_map(|(_, rows)| rows).collect();
            let truth = Truth::measure(ctx, &self.params, scenario, &seen)?;
            study.extend(rows(scenario, &compared, &truth));
        }
        let text = page(&study, &self.params.shown);
        let files = BTreeMap::from([("study.md".to_owned(), text.into_bytes())]);
        ctx.write("page", Written::Folder(files));
        ctx.write_rows(StudyRow::TABLE.name, &study)
    }
}
