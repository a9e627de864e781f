//! A few kinds to build pipelines from, and pipelines in folders of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use sbt_schemas::{CandidateRow, RequestRow, Row, TrialRow, WorkloadRow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Diagnostics, FileParam, Input, LoadOptions, Output, OutputKind, ParamError, Plan, Registry,
    Stage, StageContext, StageError, StageKind, load, parse_params,
};

pub(super) const REGISTRY: Registry = &[
    &Fake::<Source>::NEW,
    &Fake::<Measure>::NEW,
    &Fake::<Search>::NEW,
    &Fake::<Report>::NEW,
];

/// Where requests come from.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Source {
    /// How many.
    requests: u32,
    rate_rps: f64,
    label: String,
    trace: Option<PathBuf>,
}

/// Trials of given configurations.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Measure {
    backend: Backend,
    seeds: Vec<u64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Backend {
    kind: String,
    gpus: u32,
}

/// Looks for good configurations.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    sampler: Sampler,
    /// Trials that it may run.
    #[serde(default)]
    budget: u32,
    #[serde(default)]
    backend: Backend,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Sampler {
    Random,
    Nsga2,
    Tpe,
}

/// Tells people.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Report {
    title: String,
    template: Option<String>,
}

/// What tells the fake kinds apart.
trait Params: Serialize + serde::de::DeserializeOwned + schemars::JsonSchema + Send + Sync {
    const NAME: &'static str;
    fn inputs() -> Vec<Input>;
    fn outputs() -> Vec<Output>;
    fn files(&self) -> Vec<FileParam> {
        Vec::new()
    }
}

impl Params for Source {
    const NAME: &'static str = "source";

    fn inputs() -> Vec<Input> {
        Vec::new()
    }

    fn outputs() -> Vec<Output> {
        vec![Output::table(&WorkloadRow::TABLE)]
    }

    fn files(&self) -> Vec<FileParam> {
        let trace = self.trace.iter().map(|path| FileParam {
            name: "trace".into(),
            path: path.clone(),
            folder: false,
        });
        trace.collect()
    }
}

impl Params for Measure {
    const NAME: &'static str = "measure";

    fn inputs() -> Vec<Input> {
        vec![Input::required("workload", &WorkloadRow::TABLE)]
    }

    fn outputs() -> Vec<Output> {
        vec![
            Output::table(&TrialRow::TABLE),
            Output::table(&RequestRow::TABLE),
        ]
    }
}

impl Params for Search {
    const NAME: &'static str = "search";

    fn inputs() -> Vec<Input> {
        vec![
            Input::required("workload", &WorkloadRow::TABLE),
            Input::optional("baseline", &TrialRow::TABLE),
        ]
    }

    fn outputs() -> Vec<Output> {
        vec![Output::table(&CandidateRow::TABLE)]
    }
}

impl Params for Report {
    const NAME: &'static str = "report";

    fn inputs() -> Vec<Input> {
        vec![
            Input::required("candidates", &CandidateRow::TABLE),
            Input::optional("trials", &TrialRow::TABLE),
            Input {
                name: "extra".into(),
                table: None,
                optional: true,
            },
        ]
    }

    fn outputs() -> Vec<Output> {
        vec![Output {
            name: "report".into(),
            kind: OutputKind::Folder,
        }]
    }
}

struct Fake<P>(std::marker::PhantomData<fn() -> P>);

impl<P> Fake<P> {
    const NEW: Self = Self(std::marker::PhantomData);
}

impl<P: Params + 'static> StageKind for Fake<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn about(&self) -> &'static str {
        "a kind for tests"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> schemars::Schema {
        schemars::schema_for!(P)
    }

    fn example(&self) -> &'static str {
        ""
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        Ok(Box::new(Planned(parse_params::<P>(with)?)))
    }
}

struct Planned<P>(P);

impl<P: Params> Stage for Planned<P> {
    fn inputs(&self) -> Vec<Input> {
        P::inputs()
    }

    fn outputs(&self) -> Vec<Output> {
        P::outputs()
    }

    fn key_params(&self) -> Value {
        json!(self.0)
    }

    fn files(&self) -> Vec<FileParam> {
        self.0.files()
    }

    fn run(&self, _: &StageContext) -> Result<(), StageError> {
        Ok(())
    }
}

/// Files in a folder, the first of which is the pipeline.
pub(super) struct Project {
    dir: TempDir,
    pub(super) options: LoadOptions,
}

impl Project {
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let options = LoadOptions {
            path: dir.path().join(files[0].0),
            ..LoadOptions::default()
        };
        Self { dir, options }
    }

    pub(super) fn set(mut self, argument: &str) -> Self {
        self.options.sets.push(argument.into());
        self
    }

    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.options.env.insert(name.into(), value.into());
        self
    }

    pub(super) fn profile(mut self, name: &str) -> Self {
        self.options.profile = Some(name.into());
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn load(&self) -> Result<Plan, Diagnostics> {
        load(&self.options, REGISTRY)
    }

    #[track_caller]
    pub(super) fn plan(&self) -> Plan {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// What is wrong, with paths from the folder on.
    #[track_caller]
    pub(super) fn errors(&self) -> String {
        let Err(problems) = self.load() else {
            panic!("nothing is wrong");
        };
        self.without_folder(&problems.render(false))
    }

    pub(super) fn without_folder(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }

    /// `with` of every stage instance.
    #[track_caller]
    pub(super) fn withs(&self) -> BTreeMap<String, Value> {
        let stages = self.plan().stages.into_iter();
        stages.map(|stage| (stage.id, stage.with)).collect()
    }
}

/// A pipeline of one file.
pub(super) fn pipeline(text: &str) -> Project {
    Project::of(&[("p.toml", text)])
}

/// Wires as `stage.output`.
pub(super) fn wires(plan: &Plan, id: &str, input: &str) -> Vec<String> {
    let stage = plan.stages.iter().find(|s| s.id == id).unwrap();
    let wires = stage.inputs.get(input).into_iter().flatten();
    let named = wires.map(|wire| format!("{}.{}", plan.stages[wire.stage].id, wire.output));
    named.collect()
}
