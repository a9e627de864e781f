use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sbt_engine::{Digest, Durability, StageContext, StageError};
use sbt_schemas::{Outcome, Provenance, RequestRow, TelemetryRow, TrialRow, WorkloadRow};
use sbt_simulator::{Coefficients, Factor, Term};
use serde_json::{Value, json};

use crate::draw::Draw;
use crate::identity;
use crate::measured::Measured;
use crate::memo;
use crate::metrics::Metrics;
use crate::simulated::Simulated;
use crate::step_source::step_source;
use crate::trial_row::{Execution, Identity, ServerState, trial_row};
use crate::{Backend, Config, Protocol};

/// One trial to run.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialSpec {
    /// Configuration under test.
    pub config: Config,
    /// Draw of the workload to serve.
    pub draw: u64,
    /// Requests to serve: the first ones of the draw; none: all of it.
    pub requests: Option<u64>,
    /// Factor on the arrival rate.
    pub rate_scale: f64,
    /// Whether the caller needs [`Trial::requests`]. Only then has the row of a simulated trial
    /// intervals: they take as long as a good part of it.
    pub keep_requests: bool,
}

impl TrialSpec {
    /// The whole of a draw at its own rate; its requests are not kept.
    #[must_use]
    pub fn new(config: Config, draw: u64) -> Self {
        Self {
            config,
            draw,
            requests: None,
            rate_scale: 1.0,
            keep_requests: false,
        }
    }
}

/// One trial that ended, well or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its aggregates and outcome.
    pub row: TrialRow,
    /// Its requests; empty unless asked for, or when nothing was served.
    pub requests: Vec<RequestRow>,
    /// Samples of the server; empty when simulated, or when the requests were not asked for.
    pub telemetry: Vec<TelemetryRow>,
}

/// What runs trials.
enum Bench<'a> {
    Simulated(Box<Simulated>),
    Measured(Box<Measured<'a>>),
}

impl Trial {
    /// A trial of which no request tells.
    pub(crate) fn unserved(
        identity: Identity,
        (outcome, reason): (Outcome, String),
        execution: Execution,
    ) -> Self {
        Self::of_row(trial_row(
            identity,
            (outcome, Some(reason)),
            &Metrics::default(),
            ServerState::default(),
            execution,
        ))
    }

    /// A trial of which only the row is known, or asked for.
    pub(crate) fn of_row(row: TrialRow) -> Self {
        Self {
            row,
            requests: Vec::new(),
            telemetry: Vec::new(),
        }
    }
}

/// Runs trials against one backend under one protocol; remembers each on its own.
pub struct TrialRunner<'a> {
    ctx: &'a StageContext,
    bench: Bench<'a>,
    protocol: Protocol,
    draws: BTreeMap<u64, Draw>,
    progress: Option<Progress>,
    unheard: bool,
    /// Trials that this runner measured: a refresh asks for each once.
    measured: Mutex<BTreeSet<Digest>>,
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
            bench: match backend {
                Backend::Simulator(simulator) => {
                    let simulated = Simulated::new(simulator).map_err(StageError::User)?;
                    let steps = step_source(ctx, simulator)?;
                    Bench::Simulated(Box::new(simulated.with_steps(steps)))
                }
                Backend::Server(_) | Backend::Endpoint(_) => {
                    let measured = Measured::new(ctx, backend).map_err(StageError::User)?;
                    Bench::Measured(Box::new(measured))
                }
            },
            protocol: protocol.clone(),
            draws,
            progress: None,
            unheard: false,
            measured: Mutex::default(),
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

    /// A runner for `replicas` servers of each configuration, the shortest queue of which takes the
    /// next request, with a client of as many places. None where that cannot be simulated: on a
    /// real server, or for a model with experts.
    #[must_use]
    pub fn replicated(self, replicas: u64) -> Option<Self> {
        let Bench::Simulated(simulated) = self.bench else {
            return None;
        };
        let mut protocol = self.protocol;
        protocol.client.max_in_flight = protocol.client.max_in_flight.map(|n| n * replicas);
        Some(Self {
            bench: Bench::Simulated(Box::new(simulated.replicated(replicas)?)),
            protocol,
            ..self
        })
    }

    /// Trials that only advise: nobody is told of them.
    #[must_use]
    pub fn unheard(mut self) -> Self {
        self.unheard = true;
        self
    }

    /// With a term of the simulator's step time multiplied by a factor; a real server stays as it
    /// is.
    #[must_use]
    pub fn slowed(mut self, term: Term, factor: f64) -> Self {
        self.bench = match self.bench {
            Bench::Simulated(simulated) => {
                Bench::Simulated(Box::new(simulated.slowed(term, factor)))
            }
            measured @ Bench::Measured(_) => measured,
        };
        self
    }

    /// What the results of a backend depend on beside parameters and tables: versions, and
    /// digests of data. For [`sbt_engine::Stage::identity`].
    #[must_use]
    pub fn identity(backend: &Backend) -> BTreeMap<String, String> {
        match backend {
            Backend::Simulator(simulator) => {
                let simulated = Simulated::new(simulator);
                simulated
                    .map(|simulated| simulated.identity())
                    .unwrap_or_default()
            }
            Backend::Server(launched) => identity::of_launched(launched),
            Backend::Endpoint(endpoint) => identity::of_endpoint(endpoint),
        }
    }

    /// Goes on with other coefficients of the simulator's step times; a real server has none.
    pub(crate) fn take_coefficients(&mut self, coefficients: Coefficients) {
        match &mut self.bench {
            Bench::Simulated(simulated) => simulated.take_coefficients(coefficients),
            Bench::Measured(_) => {}
        }
    }

    /// Runs trials, simulated ones in parallel up to the context's jobs, and returns them in the
    /// order given. On a real server those of one configuration run one after the other, so that
    /// it is started once. What the memo knows is not run again. Configuration failures are outcomes, not errors.
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
        let done = match &self.bench {
            Bench::Simulated(_) => self.in_parallel(&ordered, |job| self.one(job))?,
            Bench::Measured(_) => self.by_configuration(&ordered)?,
        };
        let trials = specs.iter().zip(&keys).map(|(spec, key)| {
            let known = &done[places[key]];
            named(known, spec)
        });
        Ok(trials.collect())
    }

    /// Runs each configuration over some draws, and returns its trials in their order.
    ///
    /// # Errors
    /// Like [`TrialRunner::run`].
    pub fn over_draws(
        self,
        configs: &[Config],
        draws: &[u64],
    ) -> Result<Vec<Vec<TrialRow>>, StageError> {
        let specs = configs.iter().flat_map(|config| {
            let of_draws = draws.iter();
            of_draws.map(|draw| TrialSpec::new(config.clone(), *draw))
        });
        let specs: Vec<TrialSpec> = specs.collect();
        let trials = self.expecting(specs.len() as u64).run(&specs)?;
        let mut rows = trials.into_iter().map(|trial| trial.row);
        let of_configs = configs.iter();
        Ok(of_configs
            .map(|_| rows.by_ref().take(draws.len()).collect())
            .collect())
    }

    /// A trial that is not run, for a reason that is known beforehand: it ends `rejected`.
    ///
    /// # Errors
    /// When the workload has no such draw.
    pub fn refuse(&self, spec: &TrialSpec, reason: String) -> Result<Trial, StageError> {
        let key = self.key(spec)?;
        let identity = match &self.bench {
            Bench::Simulated(simulated) => simulated.named(key, spec),
            Bench::Measured(measured) => measured.named(key, spec),
        };
        let ending = (Outcome::Rejected, reason);
        let mut trial = Trial::unserved(identity, ending, Execution::default());
        // Nothing was run.
        trial.row.provenance = Provenance::Inferred;
        self.note_progress();
        Ok(trial)
    }

    /// E2E of the finished requests of simulated trials in worlds without some factors, in
    /// seconds and in the order given: none for a configuration that does not come up. Empty on a
    /// real server, which knows no other world.
    ///
    /// # Errors
    /// When the run is being stopped.
    pub fn e2e_without(
        &self,
        worlds: &[(TrialSpec, Vec<Factor>)],
    ) -> Result<Vec<Option<Vec<f64>>>, StageError> {
        let Bench::Simulated(simulated) = &self.bench else {
            return Ok(Vec::new());
        };
        self.in_parallel(worlds, |(spec, factors)| {
            self.ctx.check_cancelled()?;
            let draw = self.draw(spec)?;
            Ok(simulated.e2e_without(factors, spec, &draw, &self.protocol))
        })
    }

    /// Simulates trials in parallel and hands each, with its requests, to `read`; nothing is
    /// remembered. For studies whose trials are many, and cost less than their place on the disk.
    ///
    /// # Errors
    /// On a real server, or when the run is being stopped.
    pub fn simulate<R: Send>(
        &self,
        specs: &[TrialSpec],
        read: impl Fn(Trial) -> R + Sync,
    ) -> Result<Vec<R>, StageError> {
        let Bench::Simulated(simulated) = &self.bench else {
            return Err(StageError::user("a real server cannot be simulated"));
        };
        self.in_parallel(specs, |spec| {
            self.ctx.check_cancelled()?;
            let (key, draw) = (self.key(spec)?, self.draw(spec)?);
            let trial = simulated.trial(key, spec, &draw, &self.protocol)?;
            self.note_progress();
            Ok(read(trial))
        })
    }

    /// Does jobs on as many threads as the context allows; results in the order of the jobs.
    fn in_parallel<J: Sync, R: Send>(
        &self,
        jobs: &[J],
        one: impl Fn(&J) -> Result<R, StageError> + Sync,
    ) -> Result<Vec<R>, StageError> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let results: Vec<Mutex<Option<Result<R, StageError>>>> =
            jobs.iter().map(|_| Mutex::new(None)).collect();
        std::thread::scope(|scope| {
            for _ in 0..self.ctx.jobs.clamp(1, jobs.len().max(1)) {
                scope.spawn(|| {
                    while !failed.load(Ordering::Relaxed) {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(job) = jobs.get(place) else { break };
                        let result = one(job);
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

    fn by_configuration(&self, jobs: &[&Job<'_>]) -> Result<Vec<Trial>, StageError> {
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        let first = |place: usize| {
            let config = jobs[place].spec.config.id();
            jobs.iter().position(|job| job.spec.config.id() == config)
        };
        order.sort_by_key(|place| (first(*place), *place));
        let mut done: Vec<Option<Trial>> = jobs.iter().map(|_| None).collect();
        for place in order {
            done[place] = Some(self.one(jobs[place])?);
        }
        Ok(done.into_iter().flatten().collect())
    }

    fn one(&self, job: &Job<'_>) -> Result<Trial, StageError> {
        self.ctx.check_cancelled()?;
        let known = self.known(job)?;
        let in_memo = known.is_some();
        let trial = match known {
            Some(trial) => trial,
            None => self.fresh(job)?,
        };
        if !self.unheard {
            let outcome = trial.row.outcome.word();
            self.ctx.trial_done(job.key, outcome, in_memo);
        }
        self.note_progress();
        Ok(trial)
    }

    /// The trial as the memo has it; none when a part that is asked for is missing.
    fn known(&self, job: &Job<'_>) -> Result<Option<Trial>, StageError> {
        if self.is_outdated(&job.key) {
            return Ok(None);
        }
        let Some(row) = memo::trial(&self.ctx.memo, &job.key)? else {
            return Ok(None);
        };
        if row.n == 0 || !job.keep_requests {
            return Ok(Some(Trial::of_row(row)));
        }
        let Some(requests) = memo::rows(&self.ctx.memo, &job.key)? else {
            return Ok(None);
        };
        let telemetry = match row.provenance {
            Provenance::Measured => memo::rows(&self.ctx.memo, &job.key)?.unwrap_or_default(),
            Provenance::Simulated | Provenance::Inferred => Vec::new(),
        };
        Ok(Some(Trial {
            row,
            requests,
            telemetry,
        }))
    }

    /// Whether a measurement of before is not to be used.
    fn is_outdated(&self, key: &Digest) -> bool {
        let measured = || self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let real = matches!(self.bench, Bench::Measured(_));
        self.ctx.refresh && real && !measured().contains(key)
    }

    fn fresh(&self, job: &Job<'_>) -> Result<Trial, StageError> {
        let (key, spec) = (job.key, job.spec);
        let draw = self.draw(spec)?;
        let trial = match &self.bench {
            Bench::Simulated(simulated) => simulated.trial(key, spec, &draw, &self.protocol)?,
            Bench::Measured(measured) => measured.trial(key, spec, &draw, &self.protocol)?,
        };
        // Neither says anything of the configuration that will hold tomorrow.
        if matches!(
            trial.row.outcome,
            Outcome::Rejected | Outcome::ClientLimited
        ) {
            return Ok(trial);
        }
        self.remember(job, &trial)?;
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        measured.insert(key);
        drop(measured);
        if job.keep_requests {
            return Ok(trial);
        }
        Ok(Trial::of_row(trial.row))
    }

    /// A simulated trial costs less than its requests' place on the disk; a measured one is kept
    /// whole, and at once. The row comes last: it stands for all of it.
    fn remember(&self, job: &Job<'_>, trial: &Trial) -> Result<(), StageError> {
        let measured = trial.row.provenance == Provenance::Measured;
        let durability = if measured {
            Durability::Power
        } else {
            Durability::Process
        };
        let memo = &self.ctx.memo;
        if job.keep_requests || measured {
            memo::put_rows(memo, job.key, &trial.requests, durability)?;
        }
        if measured {
            memo::put_rows(memo, job.key, &trial.telemetry, durability)?;
        }
        memo::put_trial(memo, job.key, &trial.row, durability)
    }

    fn note_progress(&self) {
        if let Some(progress) = &self.progress {
            let done = progress.done.fetch_add(1, Ordering::Relaxed) + 1;
            self.ctx.progress(done, progress.expected, "trials");
        }
    }

    fn draw(&self, spec: &TrialSpec) -> Result<Cow<'_, Draw>, StageError> {
        let whole = self.draws.get(&spec.draw).ok_or_else(|| {
            let known: Vec<String> = self.draws.keys().map(u64::to_string).collect();
            StageError::user(format!(
                "the workload has no draw {}; it has {}",
                spec.draw,
                known.join(", ")
            ))
        })?;
        let part = spec.requests.filter(|n| *n < whole.rows.len() as u64);
        Ok(match part {
            Some(requests) => Cow::Owned(whole.first(requests)),
            None => Cow::Borrowed(whole),
        })
    }

    /// Equal key, equal trial: everything that its result depends on.
    fn key(&self, spec: &TrialSpec) -> Result<Digest, StageError> {
        let value: Value = json!({
            "backend": match &self.bench {
                Bench::Simulated(simulated) => simulated.key(&spec.config),
                Bench::Measured(measured) => measured.key(&spec.config),
            },
            "workload": self.draw(spec)?.digest.to_string(),
            "draw": spec.draw,
            "rate_scale": spec.rate_scale,
            "protocol": self.protocol,
            "bounds": spec.keep_requests || matches!(self.bench, Bench::Measured(_)),
        });
        Ok(Digest::of_value("sbt-trial-v2", &value))
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
        return Trial::of_row(trial.row);
    }
    for request in &mut trial.requests {
        request.config_name.clone_from(&trial.row.config_name);
        request.config_id.clone_from(&trial.row.config_id);
    }
    for sample in &mut trial.telemetry {
        sample.config_name.clone_from(&trial.row.config_name);
        sample.config_id.clone_from(&trial.row.config_id);
    }
    trial
}

#[cfg(test)]
pub(crate) mod tests;
