use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::key::key_of;
use crate::run::inputs;
use crate::run::lookup::{fresh, lookup};
use crate::run::report::StageFate;
use crate::{
    Cancel, Event, EventSink, Manifest, Output, OutputKind, Plan, PlannedStage, RunError,
    StageContext, StageError, Store, StoreError, StoredOutput, Written,
};

/// Pause before a second attempt; doubled for each further one.
const BACKOFF: Duration = Duration::from_millis(500);

/// One stage to run, with everything that it takes to run it on a thread of its own.
pub(crate) struct Job {
    pub(crate) plan: Arc<Plan>,
    pub(crate) index: usize,
    pub(crate) components: Value,
    pub(crate) manifests: BTreeMap<usize, Arc<Manifest>>,
    pub(crate) store: Arc<Store>,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) cancel: Cancel,
    pub(crate) run_folder: PathBuf,
    pub(crate) jobs: usize,
    pub(crate) refresh: bool,
    pub(crate) reason: String,
}

/// Why an attempt gave nothing.
struct AttemptError {
    text: String,
    stopped: bool,
    cannot_write: bool,
}

impl AttemptError {
    fn plain(error: &(dyn std::error::Error + 'static)) -> Self {
        Self {
            text: chain(error),
            stopped: false,
            cannot_write: out_of_space(error),
        }
    }
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> Self {
        Self {
            text: error.to_string(),
            stopped: false,
            cannot_write: matches!(error, StoreError::Write { .. }),
        }
    }
}

impl From<RunError> for AttemptError {
    fn from(error: RunError) -> Self {
        Self::plain(&error)
    }
}

impl Job {
    fn stage(&self) -> &PlannedStage {
        &self.plan.stages[self.index]
    }

    /// Runs the stage. One that panics has failed, and takes nothing else with it.
    pub(crate) fn run_caught(&self) -> StageFate {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.run()));
        outcome.unwrap_or_else(|_| {
            let error = "the stage panicked: this is a bug of sbt, please report it".to_owned();
            self.events.event(&Event::StageFailed {
                stage: self.stage().id.clone(),
                error: error.clone(),
                attempt: 1,
                retrying: false,
                log: None,
            });
            StageFate::Failed {
                error,
                log: None,
                cannot_write: false,
            }
        })
    }

    /// Runs the stage, once per key across processes.
    fn run(&self) -> StageFate {
        match self.run_once_per_key() {
            Ok(fate) => fate,
            Err(error) => StageFate::Failed {
                error: error.text,
                log: None,
                cannot_write: error.cannot_write,
            },
        }
    }

    fn run_once_per_key(&self) -> Result<StageFate, AttemptError> {
        let key = key_of(&self.components);
        let mut waited = false;
        let lock = self.store.lock_key(&key, &self.cancel, || {
            waited = true;
            self.events.event(&Event::Warning {
                stage: Some(self.stage().id.clone()),
                message: "another sbt computes the same result; waiting for it".to_owned(),
            });
        })?;
        let Some(_lock) = lock else {
            return Ok(StageFate::Skipped("stopped before it began".to_owned()));
        };
        if !self.refresh
            && let Some(manifest) = lookup(&self.store, &key, self.events.as_ref())?
            && fresh(&manifest, self.stage().cache, jiff::Timestamp::now())
        {
            self.events.event(&Event::StageHit {
                stage: self.stage().id.clone(),
                key,
            });
            return Ok(StageFate::Hit(manifest));
        }
        self.events.event(&Event::StageStarted {
            stage: self.stage().id.clone(),
            key,
            reason: self.reason.clone(),
        });
        Ok(self.attempts())
    }

    fn attempts(&self) -> StageFate {
        let stage = self.stage();
        let log = self
            .run_folder
            .join("logs")
            .join(format!("{}.log", file_name(&stage.id)));
        for attempt in 1.. {
            let error = match self.attempt(&log) {
                Ok(manifest) => return StageFate::Ran(manifest),
                Err(error) => error,
            };
            if error.stopped {
                return StageFate::Skipped("stopped before the end".to_owned());
            }
            let retrying = attempt <= stage.retries && !error.cannot_write;
            let log = log.exists().then(|| log.display().to_string());
            self.events.event(&Event::StageFailed {
                stage: stage.id.clone(),
                error: error.text.clone(),
                attempt,
                retrying,
                log: log.clone(),
            });
            if !retrying {
                return StageFate::Failed {
                    error: error.text,
                    log,
                    cannot_write: error.cannot_write,
                };
            }
            if !self.pause(BACKOFF * 2_u32.saturating_pow(attempt - 1).min(60)) {
                return StageFate::Skipped("stopped before another attempt".to_owned());
            }
        }
        unreachable!("the loop ends by its returns")
    }

    /// Waits; false when a stop was asked for meanwhile.
    fn pause(&self, time: Duration) -> bool {
        const STEP: Duration = Duration::from_millis(20);
        let end = Instant::now() + time;
        while Instant::now() < end {
            if self.cancel.is_cancelled() {
                return false;
            }
            std::thread::sleep(STEP);
        }
        true
    }

    fn attempt(&self, log: &Path) -> Result<Manifest, AttemptError> {
        let stage = self.stage();
        let started = Instant::now();
        let scratch = self.store.temporary("scratch");
        let cancel = self.cancel.within(stage.timeout);
        let outcome = self.written(log, &scratch, &cancel);
        let removed = fs::remove_dir_all(&scratch);
        let written = match outcome {
            Ok(written) => written,
            Err(StageError::Cancelled) if cancel.timed_out() => {
                let limit = stage.timeout.unwrap_or_default();
                return Err(AttemptError {
                    text: format!("took longer than its time limit of {limit:?}"),
                    stopped: false,
                    cannot_write: false,
                });
            }
            Err(error) => {
                return Err(AttemptError {
                    stopped: matches!(error, StageError::Cancelled),
                    ..AttemptError::plain(&error)
                });
            }
        };
        removed.map_err(StoreError::write(&scratch))?;
        let outputs = self.store_outputs(written)?;
        let manifest = Manifest {
            key: key_of(&self.components),
            pipeline: self.plan.name.clone(),
            stage: stage.id.clone(),
            kind: stage.kind.name().to_owned(),
            components: self.components.clone(),
            outputs,
            measured_at: stage
                .stage
                .measured()
                .then(|| jiff::Timestamp::now().to_string()),
            took_s: started.elapsed().as_secs_f64(),
        };
        self.store.put_manifest(&manifest)?;
        self.events.event(&Event::StageDone {
            stage: stage.id.clone(),
            key: manifest.key,
            took_s: manifest.took_s,
            outputs: manifest
                .outputs
                .iter()
                .map(|(name, o)| (name.clone(), o.digest()))
                .collect(),
        });
        Ok(manifest)
    }

    fn written(
        &self,
        log: &Path,
        scratch: &Path,
        cancel: &Cancel,
    ) -> Result<BTreeMap<String, Written>, StageError> {
        let stage = self.stage();
        let io = |what: &Path| {
            let what = format!("cannot make {}", what.display());
            move |source| StageError::Io { what, source }
        };
        fs::create_dir_all(scratch).map_err(io(scratch))?;
        if let Some(folder) = log.parent() {
            fs::create_dir_all(folder).map_err(io(folder))?;
        }
        let inputs = inputs::read(&self.plan, stage, &self.manifests, &self.store)
            .map_err(|error| StageError::user(chain(&error)))?;
        let present =
            |(name, value): (&String, &Option<String>)| Some((name.clone(), value.clone()?));
        let ctx = StageContext {
            stage: stage.id.clone(),
            pipeline: self.plan.name.clone(),
            tables: inputs.tables,
            plain_files: inputs.files,
            files: stage.files.clone(),
            env: stage
                .env
                .iter()
                .chain(&stage.pass_env)
                .filter_map(present)
                .collect(),
            memo: self.store.memo(),
            refresh: self.refresh,
            scratch: scratch.to_owned(),
            log: log.to_owned(),
            jobs: self.jobs,
            events: Arc::clone(&self.events),
            cancel: cancel.clone(),
            written: Mutex::default(),
        };
        stage.stage.run(&ctx)?;
        Ok(ctx
            .written
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner))
    }

    fn store_outputs(
        &self,
        mut written: BTreeMap<String, Written>,
    ) -> Result<BTreeMap<String, StoredOutput>, AttemptError> {
        let mut outputs = BTreeMap::new();
        for declared in self.stage().stage.outputs() {
            let Some(content) = written.remove(&declared.name) else {
                return Err(wrong(format!(
                    "output `{}` was declared and not written",
                    declared.name
                )));
            };
            let stored = self.store_output(&declared, content)?;
            outputs.insert(declared.name, stored);
        }
        match written.keys().next() {
            None => Ok(outputs),
            Some(name) => Err(wrong(format!(
                "output `{name}` was written and not declared"
            ))),
        }
    }

    fn store_output(
        &self,
        declared: &Output,
        content: Written,
    ) -> Result<StoredOutput, AttemptError> {
        match (declared.kind, content) {
            (OutputKind::Table(_) | OutputKind::AnyTable, Written::Table(table)) => {
                let bytes = table
                    .to_parquet()
                    .map_err(|error| AttemptError::plain(&error))?;
                Ok(StoredOutput::Table {
                    digest: self.store.put(&bytes)?,
                    rows: table.batch.num_rows() as u64,
                    table: table.name,
                })
            }
            (OutputKind::File, Written::File(bytes)) => Ok(StoredOutput::File {
                digest: self.store.put(&bytes)?,
            }),
            (OutputKind::Folder, Written::Folder(files)) => {
                let mut stored = BTreeMap::new();
                for (path, bytes) in files {
                    stored.insert(path, self.store.put(&bytes)?);
                }
                Ok(StoredOutput::Folder { files: stored })
            }
            (_, Written::Table(_) | Written::File(_) | Written::Folder(_)) => Err(wrong(format!(
                "output `{}` is not what was declared",
                declared.name
            ))),
        }
    }
}

fn wrong(text: String) -> AttemptError {
    AttemptError {
        text,
        stopped: false,
        cannot_write: false,
    }
}

/// A stage instance as a file name.
fn file_name(id: &str) -> String {
    id.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.=".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// An error with everything that caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Whether a full disk or a size limit is behind an error.
fn out_of_space(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return matches!(
                io.kind(),
                StorageFull | QuotaExceeded | FileTooLarge | ReadOnlyFilesystem
            );
        }
        cause = error.source();
    }
    false
}
