//! The run log: runs, stages, trials and verdicts in SQLite, for `sbt runs` and for anybody with
//! `sqlite3`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::run::{RunReport, StageFate};
use crate::verdicts::verdicts;
use crate::{Digest, Event, EventSink, Plan, Store};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, pipeline TEXT NOT NULL, path TEXT NOT NULL,
    started_at TEXT NOT NULL, took_s REAL, outcome TEXT, ran INTEGER, hits INTEGER);
CREATE TABLE IF NOT EXISTS stages (
    run TEXT NOT NULL, position INTEGER NOT NULL, stage TEXT NOT NULL, kind TEXT NOT NULL,
    key TEXT, fate TEXT NOT NULL, took_s REAL, error TEXT,
    PRIMARY KEY (run, stage));
CREATE INDEX IF NOT EXISTS stages_by_name ON stages (stage, run);
CREATE TABLE IF NOT EXISTS trials (
    run TEXT NOT NULL, stage TEXT NOT NULL, key TEXT NOT NULL, outcome TEXT NOT NULL,
    known INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS verdicts (
    run TEXT NOT NULL, stage TEXT NOT NULL, check_name TEXT NOT NULL, subject TEXT,
    verdict TEXT NOT NULL, value REAL, limit_value REAL, evidence TEXT);
";

/// Runs of a store, newest last.
#[derive(Debug)]
pub struct RunLog {
    connection: Option<Mutex<Connection>>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunEntry {
    /// Identity.
    pub run: String,
    /// Pipeline.
    pub pipeline: String,
    /// Pipeline file.
    pub path: String,
    /// When it began, RFC 3339 UTC.
    pub started_at: String,
    /// Wall time; null for a run that did not reach its end.
    pub took_s: Option<f64>,
    /// How it ended: ok, failed, interrupted; a run without an end was killed.
    pub outcome: String,
    /// Stages that ran.
    pub ran: Option<u64>,
    /// Stages whose result was known.
    pub hits: Option<u64>,
}

/// One stage of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageEntry {
    /// Stage instance.
    pub stage: String,
    /// Its kind.
    pub kind: String,
    /// Its key; null when its inputs had no result.
    pub key: Option<String>,
    /// What became of it.
    pub fate: String,
    /// Wall time of the work behind its result.
    pub took_s: Option<f64>,
    /// Why it failed or was skipped.
    pub error: Option<String>,
}

/// Counts the trials that pass by, for the log.
pub(crate) struct TrialCounter {
    next: Arc<dyn EventSink>,
    seen: Mutex<Vec<(String, Digest, String, bool)>>,
}

impl TrialCounter {
    pub(crate) fn new(next: Arc<dyn EventSink>) -> Self {
        Self {
            next,
            seen: Mutex::default(),
        }
    }

    pub(crate) fn take(&self) -> Vec<(String, Digest, String, bool)> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl EventSink for TrialCounter {
    fn event(&self, event: &Event) {
        if let Event::TrialDone {
            stage,
            key,
            outcome,
            memo,
        } = event
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push((stage.clone(), *key, outcome.clone(), *memo));
        }
        self.next.event(event);
    }
}

impl RunLog {
    /// The log of a store. A damaged one is set aside; one that cannot be used is done without:
    /// it only describes results, it holds none.
    #[must_use]
    pub fn open(store: &Store, events: &dyn EventSink) -> Self {
        let path = store.root().join("runs.sqlite");
        let opened = connect(&path).or_else(|error| {
            if !damaged(&error) {
                return Err(error);
            }
            warn(
                events,
                format!("the run log is damaged ({error}) and was set aside"),
            );
            for part in ["runs.sqlite", "runs.sqlite-wal", "runs.sqlite-shm"] {
                // What cannot be moved shows when the log is opened again.
                let _ = store.quarantine(&store.root().join(part));
            }
            connect(&path)
        });
        let connection = match opened {
            Ok(connection) => Some(Mutex::new(connection)),
            Err(error) => {
                warn(events, format!("the run log cannot be used: {error}"));
                None
            }
        };
        Self { connection }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Option<T> {
        let connection = self.connection.as_ref()?;
        act(&mut connection.lock().unwrap_or_else(PoisonError::into_inner)).ok()
    }

    pub(crate) fn begin(&self, run: &str, plan: &Plan, now: jiff::Timestamp) {
        let path = absolute(&plan.path).display().to_string();
        self.with(|connection| {
            connection.execute(
                "INSERT INTO runs (run, pipeline, path, started_at) VALUES (?1, ?2, ?3, ?4)",
                params![run, plan.name, path, now.to_string()],
            )
        });
    }

    pub(crate) fn end(
        &self,
        report: &RunReport,
        plan: &Plan,
        store: &Store,
        trials: &[(String, Digest, String, bool)],
    ) {
        let (ran, hits) = report.counts();
        self.with(|connection| {
            let transaction = connection.transaction()?;
            transaction.execute(
                "UPDATE runs SET took_s = ?2, outcome = ?3, ran = ?4, hits = ?5 WHERE run = ?1",
                params![
                    report.run,
                    report.took_s,
                    report.outcome(),
                    ran as i64,
                    hits as i64
                ],
            )?;
            {
                let mut insert = transaction.prepare(
                    "INSERT OR REPLACE INTO stages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?;
                for (position, (stage, planned)) in
                    report.stages.iter().zip(&plan.stages).enumerate()
                {
                    let (fate, error) = words(&stage.fate);
                    insert.execute(params![
                        report.run,
                        position as i64,
                        stage.id,
                        planned.kind.name(),
                        stage.key.map(|key| key.to_string()),
                        fate,
                        stage.manifest().map(|manifest| manifest.took_s),
                        error,
                    ])?;
                }
                let mut insert =
                    transaction.prepare("INSERT INTO trials VALUES (?1, ?2, ?3, ?4, ?5)")?;
                for (stage, key, outcome, known) in trials {
                    insert.execute(params![report.run, stage, key.to_string(), outcome, known])?;
                }
                let mut insert = transaction
                    .prepare("INSERT INTO verdicts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
                for (stage, verdict) in verdicts(report, store) {
                    insert.execute(params![
                        report.run,
                        stage,
                        verdict.check,
                        verdict.subject,
                        verdict.verdict,
                        verdict.value,
                        verdict.limit,
                        verdict.evidence,
                    ])?;
                }
            }
            transaction.commit()
        });
    }

    /// Every run, oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<RunEntry> {
        self.select_runs("ORDER BY run", [])
    }

    /// The run of this name, or the only one whose name starts so; `last` is the newest.
    ///
    /// # Errors
    /// When there is none or more than one; says which.
    pub fn find(&self, name: &str) -> Result<RunEntry, String> {
        if name == "last" {
            let newest = self.select_runs("ORDER BY run DESC LIMIT 1", []);
            return newest
                .into_iter()
                .next()
                .ok_or_else(|| "there are no runs yet".to_owned());
        }
        let like = format!("{}%", name.replace(['%', '_'], ""));
        let mut found = self.select_runs("WHERE run LIKE ?1 ORDER BY run", [like]);
        match (found.len(), found.pop()) {
            (1, Some(run)) => Ok(run),
            (0, _) => Err(format!("no run `{name}`; `sbt runs` lists them")),
            (n, _) => Err(format!(
                "{n} runs start with `{name}`; give more of the name"
            )),
        }
    }

    /// The newest run of a pipeline in which a stage has a result.
    #[must_use]
    pub fn last_key(&self, pipeline: &str, stage: &str, except: Option<&Digest>) -> Option<Digest> {
        let except = except.map(ToString::to_string).unwrap_or_default();
        let key: Option<String> = self.with(|connection| {
            connection
                .query_row(
                    "SELECT key FROM stages JOIN runs USING (run) WHERE pipeline = ?1 AND stage = ?2
                     AND fate IN ('ran', 'hit') AND key <> ?3 ORDER BY run DESC LIMIT 1",
                    params![pipeline, stage, except],
                    |row| row.get(0),
                )
                .optional()
        })?;
        key?.parse().ok()
    }

    /// The stages of a run, in plan order.
    #[must_use]
    pub fn stages(&self, run: &str) -> Vec<StageEntry> {
        let rows = self.with(|connection| {
            let mut select = connection.prepare(
                "SELECT stage, kind, key, fate, took_s, error FROM stages WHERE run = ?1
                 ORDER BY position",
            )?;
            let rows = select.query_map([run], |row| {
                Ok(StageEntry {
                    stage: row.get(0)?,
                    kind: row.get(1)?,
                    key: row.get(2)?,
                    fate: row.get(3)?,
                    took_s: row.get(4)?,
                    error: row.get(5)?,
                })
            })?;
            rows.collect()
        });
        rows.unwrap_or_default()
    }

    /// Trials of a run: how many ran, and how many were known.
    #[must_use]
    pub fn trials(&self, run: &str) -> (u64, u64) {
        let counts = self.with(|connection| {
            connection.query_row(
                "SELECT COUNT(*) - SUM(known), SUM(known) FROM trials WHERE run = ?1",
                [run],
                |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)),
            )
        });
        let (ran, known) = counts.unwrap_or((None, None));
        (
            ran.unwrap_or(0).unsigned_abs(),
            known.unwrap_or(0).unsigned_abs(),
        )
    }

    fn select_runs(&self, rest: &str, arguments: impl rusqlite::Params) -> Vec<RunEntry> {
        let rows = self.with(|connection| {
            let mut select = connection.prepare(&format!(
                "SELECT run, pipeline, path, started_at, took_s, outcome, ran, hits FROM runs {rest}"
            ))?;
            let rows = select.query_map(arguments, |row| {
                let outcome: Option<String> = row.get(5)?;
                let count = |v: Option<i64>| v.map(i64::unsigned_abs);
                Ok(RunEntry {
                    run: row.get(0)?,
                    pipeline: row.get(1)?,
                    path: row.get(2)?,
                    started_at: row.get(3)?,
                    took_s: row.get(4)?,
                    outcome: outcome.unwrap_or_else(|| "killed or running".to_owned()),
                    ran: count(row.get(6)?),
                    hits: count(row.get(7)?),
                })
            })?;
            rows.collect()
        });
        rows.unwrap_or_default()
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    // WAL with NORMAL: no sync per commit; a power cut loses the newest lines, never the file.
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
    connection.execute_batch(TABLES)?;
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(rusqlite::Error::SqliteFailure(code, Some(check)));
    }
    Ok(connection)
}

/// Whether the file is no database or a broken one, rather than busy or out of reach.
fn damaged(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(
        error.sqlite_error_code(),
        Some(DatabaseCorrupt | NotADatabase)
    )
}

fn warn(events: &dyn EventSink, message: String) {
    events.event(&Event::Warning {
        stage: None,
        message,
    });
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn words(fate: &StageFate) -> (&'static str, Option<&str>) {
    match fate {
        StageFate::Hit(_) => ("hit", None),
        StageFate::Ran(_) => ("ran", None),
        StageFate::Failed { error, .. } => ("failed", Some(error)),
        StageFate::Skipped(because) => ("skipped", Some(because)),
        StageFate::NotSelected => ("not asked for", None),
    }
}
