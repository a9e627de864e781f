use std::collections::BTreeMap;

use sbt_engine::Input;
use sbt_engine::{
    FileParam, Output, OutputKind, ParamError, Stage, StageContext, StageError, StageKind, Written,
    parse_params,
};
use sbt_schemas::{Row, Verdict, VerdictRow};
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::compare::compare;
use super::report::markdown;
use super::side::{Choice, Side, is_summary};
use crate::check::check;
use crate::limits::{Limits, problems};

/// The kind `regression`.
pub struct RegressionKind;

/// `with` of a regression stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// What to hold the candidate against: a folder of results, a `summary.json`, or, on the command
    /// line, a run of the store.
    base: String,
    /// What is judged; likewise.
    candidate: String,
    /// Limits by metric; the relative ones are against the base.
    limits: BTreeMap<String, Limits>,
    /// Stage whose trials count; empty: `stability` if there is one, else the only one with trials.
    #[serde(default)]
    stage: String,
    /// Name of the configuration; empty: the recommended one, else the only one.
    #[serde(default)]
    config: String,
}

impl StageKind for RegressionKind {
    fn name(&self) -> &'static str {
        "regression"
    }

    fn about(&self) -> &'static str {
        "Holds the results of one run against those of another: pass, fail or inconclusive"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> Schema {
        schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        r#"base = "baseline/summary.json"
candidate = "results/agent_like"
[limits]
e2e_p95_s = { max_increase = 0.10 }
error_rate = { max = 0.01 }
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let mut errors = problems(&params.limits);
        for (name, path) in [("base", &params.base), ("candidate", &params.candidate)] {
            if path.is_empty() {
                let error = ParamError::at(&[name], "is empty");
                errors.push(error.help(format!("--set params.{name}=RUN_OR_FOLDER_OR_SUMMARY")));
            }
        }
        if errors.is_empty() {
            Ok(Box::new(RegressionStage { params }))
        } else {
            Err(errors)
        }
    }
}

struct RegressionStage {
    params: Params,
}

impl Stage for RegressionStage {
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![
            Output::table(&VerdictRow::TABLE),
            Output {
                name: "report".to_owned(),
                kind: OutputKind::Folder,
            },
        ]
    }

    fn key_params(&self) -> Value {
        let Params {
            limits,
            stage,
            config,
            ..
        } = &self.params;
        json!({ "limits": limits, "stage": stage, "config": config })
    }

    fn files(&self) -> Vec<FileParam> {
        let sides = [
            ("base", &self.params.base),
            ("candidate", &self.params.candidate),
        ];
        let files = sides.map(|(name, path)| FileParam {
            name: name.to_owned(),
            path: path.into(),
            folder: !is_summary(path),
        });
        files.into()
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        let choice = Choice {
            stage: &self.params.stage,
            config: &self.params.config,
        };
        let read = |name: &str| {
            let path = ctx
                .files
                .get(name)
                .ok_or_else(|| StageError::user("a file is not wired"))?;
            Side::read(path, choice).map_err(|error| {
                StageError::user(format!("`{name}` ({}): {error}", path.display()))
            })
        };
        let (base, candidate) = (read("base")?, read("candidate")?);
        let mut verdicts = vec![outcomes(&candidate)];
        for (metric, limits) in &self.params.limits {
            let figures = compare(metric, &base, &candidate);
            let subject = &candidate.config_name;
            verdicts.extend(check(metric, limits, subject, "the base", figures.as_ref()));
        }
        ctx.write_rows("verdicts", &verdicts)?;
        let text = markdown(&base, &candidate, &verdicts);
        let files = BTreeMap::from([("regression.md".to_owned(), text.into_bytes())]);
        ctx.write("report", Written::Folder(files));
        Ok(())
    }
}

/// A candidate that did not serve has no figures to judge.
fn outcomes(candidate: &Side) -> VerdictRow {
    let failed = candidate.failures.first();
    VerdictRow {
        check: "trials".to_owned(),
        subject: candidate.config_name.clone(),
        verdict: if failed.is_some() {
            Verdict::Fail
        } else {
            Verdict::Pass
        },
        value: Some(candidate.failures.len() as f64),
        limit: Some(0.0),
        evidence: match failed {
            Some(first) => format!("{} did not end ok: {first}", candidate.failures.len()),
            None => "all ended ok".to_owned(),
        },
        provenance: candidate.provenance,
    }
}
