use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sbt_engine::{Event, EventSink, StageContext, StageError, StageKind};
use sbt_schemas::WorkloadRow;
use sbt_workload::WorkloadKind;
use serde_json::Value;

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) rows: Vec<WorkloadRow>,
    pub(crate) warnings: Vec<String>,
}

#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl EventSink for Warnings {
    fn event(&self, event: &Event) {
        if let Event::Warning { message, .. } = event {
            self.0.lock().unwrap().push(message.clone());
        }
    }
}

/// Plans and runs a stage whose files are relative to `folder`.
pub(crate) fn run_in(folder: &Path, with: &str) -> Result<Ran, StageError> {
    let with: Value = toml::from_str(with).unwrap();
    let stage = match WorkloadKind.plan(&with) {
        Ok(stage) => stage,
        Err(errors) => panic!("{errors:?}"),
    };
    let scratch = tempfile::tempdir().unwrap();
    let warnings = Arc::new(Warnings::default());
    let mut ctx = StageContext::for_test(scratch.path());
    ctx.events = Arc::<Warnings>::clone(&warnings);
    for file in stage.files() {
        ctx.files.insert(file.name, folder.join(file.path));
    }
    stage.run(&ctx)?;
    let warnings = warnings.0.lock().unwrap().clone();
    Ok(Ran {
        rows: ctx.written_rows("workload")?,
        warnings,
    })
}

/// Plans and runs a stage whose files are the fixtures.
pub(crate) fn run(with: &str) -> Result<Ran, StageError> {
    run_in(&fixtures(), with)
}

/// The rows of a stage that must run.
pub(crate) fn rows(with: &str) -> Vec<WorkloadRow> {
    run(with).unwrap().rows
}

/// The message of a stage that must fail.
pub(crate) fn failure(with: &str) -> String {
    match run(with) {
        Ok(_) => panic!("it ran"),
        Err(error) => error.to_string(),
    }
}

/// Messages of a `with` that must not plan, each behind its path.
pub(crate) fn param_errors(with: &str) -> Vec<String> {
    let with: Value = toml::from_str(with).unwrap();
    let errors = WorkloadKind.plan(&with).err().expect("it planned");
    let text = |e: &sbt_engine::ParamError| format!("{}: {}", e.path.join("."), e.message);
    errors.iter().map(text).collect()
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// `with` for a named profile of the shipped pipelines, before further lines.
pub(crate) fn profile(name: &str, lines: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/parts/profiles.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let parsed: toml::Table = text.parse().unwrap();
    let profile = parsed["params"]["profiles"][name]
        .as_table()
        .unwrap()
        .clone();
    let mut with: toml::Table = lines.parse().unwrap();
    with.insert("profile".to_owned(), profile.into());
    with.to_string()
}
