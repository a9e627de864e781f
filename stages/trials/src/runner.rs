use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use sbt_engine::{Digest, Durability, StageContext, StageError};
use sbt_schemas::{Outcome, RequestRow, TrialRow, WorkloadRow};
use serde_json::{Value, json};

use crate::draw::Draw;
use crate::memo;
use crate::simulated::Simulated;
use crate::{Backend, Config, Protocol};

/// One trial to run.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialSpec {
    /// Configuration under test.
    pub config: Config,
    /// Draw of the workload to serve.
    pub draw: u64,
    /// Factor on the arrival rate.
    pub rate_scale: f64,
    /// Whether the caller needs [`Trial::requests`].
    pub keep_requests: bool,
}

/// One trial that ended, well or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its aggregates and outcome.
    pub row: TrialRow,
    /// Its requests; empty unless asked for, or when nothing was served.
    pub requests: Vec<RequestRow>,
}

/// Runs trials against one backend under one protocol; remembers each on its own.
pub struct TrialRunner<'a> {
    ctx: &'a StageContext,
    backend: Simulated,
    protocol: Protocol,
    draws: BTreeMap<u64, Draw>,
    progress: Option<Progress>,
}

/// Trials done of those expected, over all calls of [`TrialRunner::run`].
struct Progress {
    done: AtomicU64,
    expected: u64,
}

impl<'a> TrialRunner<'a> {
    /// A runner for the draws in `workload`.
    ///
    /// # Errors
    /// When the backend names something that the catalogue does not have, or the warm-up leaves
    /// no request of a draw.
    pub fn new(
        ctx: &'a StageContext,
        backend: &Backend,
        protocol: &Protocol,
        workload: &[WorkloadRow],
    ) -> Result<Self, StageError> {
        let Backend::Simulator(simulator) = backend;
        let draws = Draw::all(workload);
        for (number, draw) in &draws {
            let (warmup, requests) = (protocol.warmup_requests, draw.rows.len() as u64);
            if warmup >= requests {
                return Err(StageError::user(format!(
                    "protocol.warmup_requests is {warmup}, and draw {number} of the workload has \
                     {requests} requests: none would be measured"
                )));
            }
        }
        Ok(Self {
            ctx,
            backend: Simulated::new(simulator).map_err(StageError::User)?,
            protocol: protocol.clone(),
            draws,
            progress: None,
        })
    }

    /// Reports progress as trials done of `trials`, over all calls of [`TrialRunner::run`].
    #[must_use]
    pub fn expecting(mut self, trials: u64) -> Self {
        self.progress = Some(Progress {
            done: AtomicU64::new(0),
            expected: trials,
        });
        self
    }

    /// What the results of a backend depend on beside parameters and tables: versions, and
    /// digests of data. For [`sbt_engine::Stage::identity`].
    #[must_use]
    pub fn identity(backend: &Backend) -> BTreeMap<String, String> {
        let Backend::Simulator(simulator) = backend;
        match Simulated::new(simulator) {
            Ok(simulated) => simulated.identity(),
            Err(_) => BTreeMap::new(),
        }
    }

    /// Runs trials in parallel, up to the context's jobs, and returns them in the order given.
    /// What the memo knows is not run again. Configuration failures are outcomes, not errors.
    ///
    /// # Errors
    /// When the infrastructure fails or the run is being stopped; finished trials stay in the
    /// memo.
    pub fn run(&self, specs: &[TrialSpec]) -> Result<Vec<Trial>, StageError> {
        let keys = specs.iter().map(|spec| self.key(spec));
        let keys = keys.collect::<Result<Vec<Digest>, StageError>>()?;
        let mut jobs: BTreeMap<Digest, Job<'_>> = BTreeMap::new();
        for (spec, key) in specs.iter().zip(&keys) {
            let job = jobs.entry(*key).or_insert(Job {
                key: *key,
                spec,
                keep_requests: false,
            });
            job.keep_requests |= spec.keep_requests;
        }
        let mut ordered: Vec<&Job<'_>> = Vec::new();
        let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
        for key in &keys {
            places.entry(*key).or_insert_with(|| {
                ordered.push(&jobs[key]);
                ordered.len() - 1
            });
        }
        let done = self.in_parallel(&ordered)?;
        let trials = specs.iter().zip(&keys).map(|(spec, key)| {
            let known = &done[places[key]];
            named(known, spec)
        });
        Ok(trials.collect())
    }

    fn in_parallel(&self, jobs: &[&Job<'_>]) -> Result<Vec<Trial>, StageError> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let results: Vec<Mutex<Option<Result<Trial, StageError>>>> =
            jobs.iter().map(|_| Mutex::new(None)).collect();
        std::thread::scope(|scope| {
            for _ in 0..self.ctx.jobs.clamp(1, jobs.len().max(1)) {
                scope.spawn(|| {
                    while !failed.load(Ordering::Relaxed) {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(job) = jobs.get(place) else { break };
                        let result = self.one(job);
                        failed.fetch_or(result.is_err(), Ordering::Relaxed);
                        *results[place].lock().expect("no holder panics") = Some(result);
                    }
                });
            }
        });
        let results = results
            .into_iter()
            .filter_map(|result| result.into_inner().expect("no holder panics"));
        results.collect()
    }

    fn one(&self, job: &Job<'_>) -> Result<Trial, StageError> {
        self.ctx.check_cancelled()?;
        let known = memo::trial(&self.ctx.memo, &job.key)?;
        let requests = match (&known, job.keep_requests) {
            (Some(row), true) if row.n > 0 => memo::requests(&self.ctx.memo, &job.key)?,
            (Some(_), _) => Some(Vec::new()),
            (None, _) => None,
        };
        let in_memo = known.is_some();
        let trial = match known.zip(requests) {
            Some((row, requests)) => Trial { row, requests },
            None => self.fresh(job)?,
        };
        self.ctx
            .trial_done(job.key, trial.row.outcome.word(), in_memo);
        self.note_progress();
        Ok(trial)
    }

    fn fresh(&self, job: &Job<'_>) -> Result<Trial, StageError> {
        let draw = self.draw(job.spec)?;
        let mut trial = self
            .backend
            .trial(job.key, job.spec, draw, &self.protocol)?;
        if trial.row.outcome == Outcome::Rejected {
            return Ok(trial);
        }
        memo::put_trial(&self.ctx.memo, job.key, &trial.row, Durability::Process)?;
        if job.keep_requests {
            memo::put_requests(
                &self.ctx.memo,
                job.key,
                &trial.requests,
                Durability::Process,
            )?;
        } else {
            trial.requests = Vec::new();
        }
        Ok(trial)
    }

    fn note_progress(&self) {
        if let Some(progress) = &self.progress {
            let done = progress.done.fetch_add(1, Ordering::Relaxed) + 1;
            self.ctx.progress(done, progress.expected, "trials");
        }
    }

    fn draw(&self, spec: &TrialSpec) -> Result<&Draw, StageError> {
        self.draws.get(&spec.draw).ok_or_else(|| {
            let known: Vec<String> = self.draws.keys().map(u64::to_string).collect();
            StageError::user(format!(
                "the workload has no draw {}; it has {}",
                spec.draw,
                known.join(", ")
            ))
        })
    }

    /// Equal key, equal trial: everything that its result depends on.
    fn key(&self, spec: &TrialSpec) -> Result<Digest, StageError> {
        let value: Value = json!({
            "backend": self.backend.key(&spec.config),
            "workload": self.draw(spec)?.digest.to_string(),
            "draw": spec.draw,
            "rate_scale": spec.rate_scale,
            "protocol": self.protocol,
        });
        Ok(Digest::of_value("sbt-trial-v1", &value))
    }
}

/// One trial to find or to run, whatever it is called.
struct Job<'a> {
    key: Digest,
    spec: &'a TrialSpec,
    keep_requests: bool,
}

/// A trial under the names of one of the specs that ask for it.
fn named(trial: &Trial, spec: &TrialSpec) -> Trial {
    let mut trial = trial.clone();
    trial.row.config_name.clone_from(&spec.config.name);
    trial.row.config_id = spec.config.id();
    trial.row.config = spec.config.json();
    if !spec.keep_requests {
        trial.requests = Vec::new();
    }
    for request in &mut trial.requests {
        request.config_name.clone_from(&trial.row.config_name);
        request.config_id.clone_from(&trial.row.config_id);
    }
    trial
}

#[cfg(test)]
pub(crate) mod tests;
