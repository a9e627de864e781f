//! What a stage kind is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sbt_schemas::TableSpec;
use serde_json::Value;

use crate::{MemoError, ParamError, StageContext, TableIoError};

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

    /// Environment variables that it gets and that leave its result alone; a name that ends with
    /// `*` stands for all that begin with it.
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

/// A file that a parameter names, or a folder of files.
#[derive(Debug, Clone)]
pub struct FileParam {
    /// What it is to the stage; stands in the key beside the content's digest.
    pub name: String,
    /// Path as written; relative ones count from the pipeline's folder, else from the working
    /// directory.
    pub path: PathBuf,
    /// Whether it is a folder.
    pub folder: bool,
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
