//! What a running stage may touch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sbt_schemas::Row;

use crate::{Digest, Event, EventSink, Memo, StageError, Table};

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
    /// Files that parameters name, by [`crate::FileParam::name`].
    pub files: BTreeMap<String, PathBuf>,
    /// Values of the variables of [`crate::Stage::env`] and [`crate::Stage::pass_env`].
    pub env: BTreeMap<String, String>,
    /// What each trial gave before.
    pub memo: Arc<Memo>,
    /// Whether the user asked for the stage again: what was measured before is measured anew.
    pub refresh: bool,
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
            refresh: false,
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
