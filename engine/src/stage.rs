//! What a stage kind is, and what a running stage may do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sbt_schemas::{Row, TableSpec};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Digest, Event, EventSink, Memo, MemoError, Table, TableIoError};

/// The kinds that a pipeline can use.
pub type Registry = &'static [&'static dyn StageKind];

/// A kind of stage: what `uses = "…"` names.
pub trait StageKind: Send + Sync {
    /// Name in pipelines.
    fn name(&self) -> &'static str;

    /// What it does, in one line.
    fn about(&self) -> &'static str;

    /// Raised when the same inputs give another result; it is part of every key of this kind.
    fn revision(&self) -> u32;

    /// JSON Schema of `with`.
    fn params(&self) -> schemars::Schema;

    /// An example `with` table as TOML, which must plan.
    fn example(&self) -> &'static str;

    /// Reads `with` and says what the stage needs and gives. Pure: opens no file, so that a
    /// pipeline can be checked anywhere.
    ///
    /// # Errors
    /// With everything that is wrong with `with`, not just the first.
    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>>;
}

/// A stage with its parameters: what it needs, what it gives, and how it runs.
pub trait Stage: Send + Sync {
    /// Tables and files that it reads from other stages.
    fn inputs(&self) -> Vec<Input>;

    /// What it writes.
    fn outputs(&self) -> Vec<Output>;

    /// Parameters as they enter the key: defaults filled in; nothing that leaves the result alone
    /// (paths, descriptions, parallelism).
    fn key_params(&self) -> Value;

    /// Files outside the pipeline that it reads; their content enters the key, their path does
    /// not.
    fn files(&self) -> Vec<FileParam> {
        Vec::new()
    }

    /// Environment variables whose values enter the key.
    fn env(&self) -> Vec<String> {
        Vec::new()
    }

    /// Environment variables that it gets and that leave its result alone.
    fn pass_env(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether it takes inputs of any name besides [`Stage::inputs`].
    fn open_inputs(&self) -> bool {
        false
    }

    /// Identity of what it runs on (simulator revision and data, server version, …); part of the
    /// key.
    fn identity(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Whether its result is a measurement: a fact with a date, not the same bytes every time.
    fn measured(&self) -> bool {
        false
    }

    /// Does the work. Blocking; called on a thread of its own.
    ///
    /// # Errors
    /// When there is no result. Outputs written before are then dropped.
    fn run(&self, ctx: &StageContext) -> Result<(), StageError>;
}

/// Something that a stage reads from another one.
#[derive(Debug, Clone)]
pub struct Input {
    /// Name under `inputs`.
    pub name: String,
    /// Table that it must be; none for a table or file of any shape.
    pub table: Option<&'static TableSpec>,
    /// Whether the stage can do without.
    pub optional: bool,
}

impl Input {
    /// A table that must be wired.
    #[must_use]
    pub fn required(name: &str, table: &'static TableSpec) -> Self {
        Self {
            name: name.to_owned(),
            table: Some(table),
            optional: false,
        }
    }

    /// A table that may be wired.
    #[must_use]
    pub fn optional(name: &str, table: &'static TableSpec) -> Self {
        Self {
            optional: true,
            ..Self::required(name, table)
        }
    }
}

/// Something that a stage writes.
#[derive(Debug, Clone)]
pub struct Output {
    /// Name, as in `inputs = { x = "stage.name" }`.
    pub name: String,
    /// What it is.
    pub kind: OutputKind,
}

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// A table of a known shape.
    Table(&'static TableSpec),
    /// A Parquet table of a shape that only the run shows.
    AnyTable,
    /// One file.
    File,
    /// A folder of files for people, placed in the results.
    Folder,
}

impl Output {
    /// A table named after its spec.
    #[must_use]
    pub fn table(spec: &'static TableSpec) -> Self {
        Self {
            name: spec.name.to_owned(),
            kind: OutputKind::Table(spec),
        }
    }
}

/// A file that a parameter names.
#[derive(Debug, Clone)]
pub struct FileParam {
    /// What it is to the stage; stands in the key beside the content's digest.
    pub name: String,
    /// Path as written; relative ones count from the pipeline's folder, else from the working
    /// directory.
    pub path: PathBuf,
}

/// Something wrong with `with`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamError {
    /// Keys and indices that lead to the value, from `with` down.
    pub path: Vec<String>,
    /// What is wrong, as a sentence fragment.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ParamError {
    /// An error at a path such as `["arrival", "rate_rps"]`.
    #[must_use]
    pub fn at(path: &[&str], message: impl Into<String>) -> Self {
        Self {
            path: path.iter().map(|&s| s.to_owned()).collect(),
            message: message.into(),
            help: None,
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Reads typed parameters and reports every error: each offending value is noted, taken out, and
/// the rest read again.
///
/// # Errors
/// With all errors found.
pub fn parse_params<P: DeserializeOwned>(with: &Value) -> Result<P, Vec<ParamError>> {
    let mut rest = with.clone();
    let mut errors: Vec<ParamError> = Vec::new();
    loop {
        match serde_path_to_error::deserialize::<_, P>(&rest) {
            Ok(params) if errors.is_empty() => return Ok(params),
            Ok(_) => return Err(errors),
            Err(error) => {
                let found = locate(&error);
                let follows_from_removal = errors
                    .iter()
                    .any(|e| error.inner().to_string() == missing_field_message(e));
                if !follows_from_removal {
                    errors.push(found.clone());
                }
                if !remove(&mut rest, &found.path) {
                    return Err(errors);
                }
            }
        }
    }
}

fn missing_field_message(removed: &ParamError) -> String {
    let name = removed.path.last().map_or("", String::as_str);
    format!("missing field `{name}`")
}

fn locate(error: &serde_path_to_error::Error<serde_json::Error>) -> ParamError {
    use serde_path_to_error::Segment;
    let mut path: Vec<String> = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        })
        .collect();
    let message = error.inner().to_string();
    if let Some(name) = quoted_after(&message, "unknown field `")
        && path.last().map(String::as_str) != Some(name)
    {
        path.push(name.to_owned());
    }
    ParamError {
        path,
        help: nearest_expected(&message),
        message,
    }
}

fn quoted_after<'a>(message: &'a str, lead: &str) -> Option<&'a str> {
    let rest = &message[message.find(lead)? + lead.len()..];
    rest.split('`').next()
}

/// The nearest of the names that serde's message lists.
fn nearest_expected(message: &str) -> Option<String> {
    let (found, expected) = message.split_once(", expected ")?;
    let found = found.split('`').nth(1)?;
    let names = expected.split('`').skip(1).step_by(2);
    nearest_name(found, names).map(|name| format!("did you mean `{name}`?"))
}

/// The most similar of some names, if any is similar at all.
#[must_use]
pub fn nearest_name<'a>(found: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Chosen: lets one slip in five letters through, and no unrelated word.
    const SIMILAR: f64 = 0.75;
    names
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

fn remove(value: &mut Value, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else {
        return false;
    };
    let mut place = value;
    for key in parents {
        let next = match place {
            Value::Object(map) => map.get_mut(key),
            Value::Array(items) => key.parse::<usize>().ok().and_then(|i| items.get_mut(i)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        let Some(next) = next else { return false };
        place = next;
    }
    match place {
        Value::Object(map) => map.shift_remove(last).is_some(),
        Value::Array(items) => match last.parse::<usize>() {
            Ok(index) if index < items.len() => {
                items.remove(index);
                true
            }
            _ => false,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Why a stage has no result.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The user can mend it: a message that says what, where and what next.
    #[error("{0}")]
    User(String),
    /// The run is being stopped.
    #[error("stopped before the end")]
    Cancelled,
    /// A table could not be read or written.
    #[error("{what}")]
    Table {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: TableIoError,
    },
    /// The memo could not be read or written.
    #[error(transparent)]
    Memo(#[from] MemoError),
    /// The system refused.
    #[error("{what}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl StageError {
    /// An error that the user can mend.
    #[must_use]
    pub fn user(message: impl Into<String>) -> Self {
        Self::User(message.into())
    }
}

/// A wish to stop, shared by a run and its stages.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    asked: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Cancel {
    /// Asks for the stop.
    pub fn cancel(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was asked for, or the time is over.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.asked.load(Ordering::SeqCst) || self.timed_out()
    }

    /// Whether the time is over.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The same wish with a time limit of its own.
    #[must_use]
    pub fn within(&self, limit: Option<Duration>) -> Self {
        Self {
            asked: Arc::clone(&self.asked),
            deadline: limit.and_then(|limit| Instant::now().checked_add(limit)),
        }
    }
}

/// What a stage wrote.
#[derive(Debug, Clone)]
pub enum Written {
    /// A table.
    Table(Table),
    /// A file.
    File(Vec<u8>),
    /// A folder: path within it, with `/`, and content.
    Folder(BTreeMap<String, Vec<u8>>),
}

/// Everything that a running stage may touch.
pub struct StageContext {
    /// Stage instance, for events.
    pub stage: String,
    /// Pipeline, for texts.
    pub pipeline: String,
    /// Wired tables by input name.
    pub tables: BTreeMap<String, Table>,
    /// Wired plain files by input name.
    pub plain_files: BTreeMap<String, PathBuf>,
    /// Files that parameters name, by [`FileParam::name`].
    pub files: BTreeMap<String, PathBuf>,
    /// Values of the variables of [`Stage::env`] and [`Stage::pass_env`].
    pub env: BTreeMap<String, String>,
    /// What each trial gave before.
    pub memo: Arc<Memo>,
    /// A folder of its own, empty at the start, gone at the end.
    pub scratch: PathBuf,
    /// Where its log goes, if it keeps one.
    pub log: PathBuf,
    /// Threads that it may use.
    pub jobs: usize,
    /// Who hears of progress.
    pub events: Arc<dyn EventSink>,
    /// The wish to stop.
    pub cancel: Cancel,
    /// What it wrote so far.
    pub written: Mutex<BTreeMap<String, Written>>,
}

impl StageContext {
    /// Typed rows of an input that is wired.
    ///
    /// # Errors
    /// When the input is not wired or holds other columns.
    pub fn rows<R: Row>(&self, input: &str) -> Result<Vec<R>, StageError> {
        self.rows_if_wired(input)?
            .ok_or_else(|| StageError::user(format!("input `{input}` is not wired")))
    }

    /// Typed rows of an input that may be wired.
    ///
    /// # Errors
    /// When it holds other columns.
    pub fn rows_if_wired<R: Row>(&self, input: &str) -> Result<Option<Vec<R>>, StageError> {
        let Some(table) = self.tables.get(input) else {
            return Ok(None);
        };
        table.rows().map(Some).map_err(|source| StageError::Table {
            what: format!("input `{input}`"),
            source,
        })
    }

    /// Writes a table of typed rows, in the order given.
    ///
    /// # Errors
    /// When Arrow refuses the columns.
    pub fn write_rows<R: Row>(&self, output: &str, rows: &[R]) -> Result<(), StageError> {
        let table = Table::from_rows(rows).map_err(|source| StageError::Table {
            what: format!("output `{output}`"),
            source,
        })?;
        self.write(output, Written::Table(table));
        Ok(())
    }

    /// Writes an output.
    pub fn write(&self, output: &str, content: Written) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(output.to_owned(), content);
    }

    /// Path of a file that a parameter names.
    ///
    /// # Errors
    /// When no parameter named it.
    pub fn file(&self, name: &str) -> Result<&Path, StageError> {
        let path = self.files.get(name).map(PathBuf::as_path);
        path.ok_or_else(|| StageError::user(format!("no file named `{name}` was given")))
    }

    /// Reports progress.
    pub fn progress(&self, done: u64, total: u64, note: &str) {
        self.events.event(&Event::StageProgress {
            stage: self.stage.clone(),
            done,
            total,
            note: note.to_owned(),
        });
    }

    /// Reports something that the user should know and that stops nothing.
    pub fn warn(&self, message: impl Into<String>) {
        self.events.event(&Event::Warning {
            stage: Some(self.stage.clone()),
            message: message.into(),
        });
    }

    /// Reports a trial that ended or was known.
    pub fn trial_done(&self, key: Digest, outcome: &str, memo: bool) {
        self.events.event(&Event::TrialDone {
            stage: self.stage.clone(),
            key,
            outcome: outcome.to_owned(),
            memo,
        });
    }

    /// Ends the stage early when a stop was asked for.
    ///
    /// # Errors
    /// [`StageError::Cancelled`] then.
    pub fn check_cancelled(&self) -> Result<(), StageError> {
        if self.cancel.is_cancelled() {
            return Err(StageError::Cancelled);
        }
        Ok(())
    }

    /// A context for a stage's own tests: no inputs, one job, everything under `dir`.
    #[must_use]
    pub fn for_test(dir: &Path) -> Self {
        struct Silent;
        impl EventSink for Silent {
            fn event(&self, _: &Event) {}
        }
        Self {
            stage: "test".to_owned(),
            pipeline: "test".to_owned(),
            tables: BTreeMap::new(),
            plain_files: BTreeMap::new(),
            files: BTreeMap::new(),
            env: BTreeMap::new(),
            memo: Arc::new(Memo::open(&dir.join("trials"))),
            scratch: dir.to_owned(),
            log: dir.join("log"),
            jobs: 1,
            events: Arc::new(Silent),
            cancel: Cancel::default(),
            written: Mutex::new(BTreeMap::new()),
        }
    }

    /// Typed rows of an output that was written: for tests.
    ///
    /// # Errors
    /// When nothing of that name was written, or it is no such table.
    pub fn written_rows<R: Row>(&self, output: &str) -> Result<Vec<R>, StageError> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match written.get(output) {
            Some(Written::Table(table)) => table.rows().map_err(|source| StageError::Table {
                what: format!("output `{output}`"),
                source,
            }),
            Some(Written::File(_) | Written::Folder(_)) | None => {
                Err(StageError::user(format!("no table `{output}` was written")))
            }
        }
    }
}
