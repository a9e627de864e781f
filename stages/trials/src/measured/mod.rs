//! Trials on a real server: one that is started with the configuration, or one that runs already.

mod client;
mod limits;
mod look;
mod machine;
mod outcome;
mod rows;
mod schedule;
mod silence;
mod sizes;
mod telemetry;

use std::borrow::Cow;
use std::collections::BTreeMap;

use sbt_engine::{Digest, StageContext, StageError};
use sbt_schemas::{Outcome, Phase, Provenance, RequestRow, TelemetryRow};
use serde_json::{Value, json};

use crate::draw::Draw;
use crate::metrics::Metrics;
use crate::request_row::phases;
use crate::trial_row::{Execution, Identity, trial_row};
use crate::warm_up;
use crate::{Backend, Config, Knob, Protocol, ServerSpec, Trial, TrialRunner, TrialSpec};
use client::Measurement;
pub(crate) use machine::{Machine, Ready, Unready};

pub use machine::kill_servers;
use outcome::{ClientState, outcome};

/// A real server, and what is known of it.
pub(crate) struct Measured<'a> {
    ctx: &'a StageContext,
    backend: Backend,
    server: Cow<'static, ServerSpec>,
    machine: Machine<'a>,
    /// What a configuration runs on, for keys.
    identity: Value,
}

/// How a trial ended of which no request tells.
pub(crate) type Ending = (Outcome, String);

impl<'a> Measured<'a> {
    pub(crate) fn new(ctx: &'a StageContext, backend: &Backend) -> Result<Self, String> {
        let server = backend.server()?;
        Ok(Self {
            ctx,
            identity: json!(TrialRunner::identity(backend)),
            machine: Machine::new(ctx, backend, server.clone()),
            backend: backend.clone(),
            server,
        })
    }

    /// What a trial's result depends on, but for the workload and the protocol.
    pub(crate) fn key(&self, config: &Config) -> Value {
        json!({
            "identity": self.identity,
            "backend": self.backend,
            "config": self.server.effective(config).value(),
        })
    }

    /// Measures one configuration; once more when the client was the bottleneck, with twice the
    /// threads where there are cores for them, since a machine may also be busy for a moment.
    ///
    /// # Errors
    /// When the machine or the endpoint is to blame, not the configuration, or the run is being
    /// stopped.
    pub(crate) fn trial(
        &self,
        key: Digest,
        spec: &TrialSpec,
        draw: &Draw,
        protocol: &Protocol,
    ) -> Result<Trial, StageError> {
        let trial = self.once(key, spec, draw, protocol)?;
        if trial.row.outcome != Outcome::ClientLimited {
            return Ok(trial);
        }
        let (name, reason) = (&spec.config.name, trial.row.reason.unwrap_or_default());
        self.ctx
            .warn(format!("`{name}` is measured again: {reason}"));
        let mut wider = protocol.clone();
        wider.client.shards = Some(more_shards(&trial.requests));
        self.once(key, spec, draw, &wider)
    }

    fn once(
        &self,
        key: Digest,
        spec: &TrialSpec,
        draw: &Draw,
        protocol: &Protocol,
    ) -> Result<Trial, StageError> {
        let breaches = self.server.breaches(&spec.config, &self.facts());
        let identity = self.named(key, spec);
        if !breaches.is_empty() {
            let ending = (Outcome::Rejected, breaches.join(" "));
            let mut trial = Trial::unserved(identity, ending, Execution::default());
            // The rule says so; nothing was run.
            trial.row.provenance = Provenance::Inferred;
            return Ok(trial);
        }
        let execution = started(key, protocol);
        let ready = match self.machine.ready(&spec.config) {
            Ok(ready) => ready,
            Err(Unready::Configuration(ending)) => {
                return Ok(Trial::unserved(identity, ending, execution));
            }
            Err(Unready::Stage(error)) => return Err(error),
        };
        let salt = execution.salt.clone().unwrap_or_default();
        let measured = client::measure(self, &ready, spec, draw, protocol, &salt);
        let measured = match measured? {
            Ok(measured) => measured,
            Err(ending) => {
                // Whatever state it is in: the next trial gets a new server.
                self.machine.stop();
                return Ok(Trial::unserved(identity, ending, execution));
            }
        };
        self.served(identity, spec, draw, protocol, measured, execution)
    }

    fn served(
        &self,
        identity: Identity,
        spec: &TrialSpec,
        draw: &Draw,
        protocol: &Protocol,
        measured: Measurement,
        mut execution: Execution,
    ) -> Result<Trial, StageError> {
        let requests = request_rows(&identity, draw, protocol, &measured);
        let last_arrival_s = draw.last_arrival_s / spec.rate_scale;
        let metrics = Metrics::of(&requests, &protocol.slo, last_arrival_s, true);
        let death = self.machine.death();
        if let (Backend::Endpoint(endpoint), 0) = (&self.backend, metrics.n_ok) {
            return Err(nothing_succeeded(&endpoint.url, &requests));
        }
        let client = ClientState {
            lag: measured.lag,
            busiest_cpu: measured.busiest_cpu,
        };
        let (outcome, reason) = match (death, measured.hung.clone()) {
            (Some((outcome, reason)), Some(hung)) => (outcome, Some(format!("{reason}; {hung}"))),
            (Some((outcome, reason)), None) => (outcome, Some(reason)),
            (None, Some(hung)) => (Outcome::Hung, Some(hung)),
            (None, None) => outcome(&requests, &metrics, protocol, &client, last_arrival_s),
        };
        if outcome != Outcome::Ok {
            self.machine.stop();
        }
        execution.lag = Some(measured.lag);
        execution.client_cpu = Some(measured.client_cpu);
        execution.wall_s = Some(measured.wall_s);
        execution.warnings = warnings(&measured, &requests, draw);
        execution.warnings.extend(warm_up::warning(&requests));
        let state = telemetry::state(&measured.samples, measured.engine, self.version());
        let telemetry: Vec<TelemetryRow> = telemetry::rows(&identity, &measured.samples);
        Ok(Trial {
            row: trial_row(identity, (outcome, reason), &metrics, state, execution),
            requests,
            telemetry,
        })
    }

    /// Version that the server states, as the key has it.
    fn version(&self) -> Option<String> {
        let version = self.identity["version"].as_str()?;
        Some(version.to_owned()).filter(|version| !version.is_empty())
    }

    fn facts(&self) -> BTreeMap<String, Knob> {
        match &self.backend {
            // Without a GPU the ranks are processes: no rule about GPUs bounds them.
            Backend::Server(launched) if launched.gpus > 0 => {
                let gpus = i64::try_from(launched.gpus).unwrap_or(i64::MAX);
                [("gpus".to_owned(), Knob::Int(gpus))].into()
            }
            Backend::Server(_) | Backend::Simulator(_) | Backend::Endpoint(_) => BTreeMap::new(),
        }
    }

    pub(crate) fn named(&self, key: Digest, spec: &TrialSpec) -> Identity {
        let usd_per_hour = match &self.backend {
            Backend::Server(launched) => launched.usd_per_hour,
            Backend::Endpoint(endpoint) => endpoint.usd_per_hour,
            Backend::Simulator(_) => None,
        };
        let gpus = match &self.backend {
            Backend::Server(launched) => self.server.replica_gpus(&spec.config).min(launched.gpus),
            Backend::Endpoint(_) | Backend::Simulator(_) => 0,
        };
        Identity::of(key, spec, self.backend.words(), gpus, usd_per_hour)
    }
}

/// A row for each request of the draw, then for each that was sent when it was over.
fn request_rows(
    identity: &Identity,
    draw: &Draw,
    protocol: &Protocol,
    measured: &Measurement,
) -> Vec<RequestRow> {
    let (counted, further) = measured.requests.split_at(draw.rows.len());
    let intended = counted.iter().map(|seen| seen.intended_s);
    let phases = phases(intended, protocol.warmup_requests);
    let counted = draw.rows.iter().zip(counted).zip(phases);
    let counted = counted.map(|((row, seen), phase)| (row, seen, phase));
    let further = measured.drain.iter().zip(further);
    let further = further.map(|(row, seen)| (row, seen, Phase::Drain));
    let further = further.filter(|(_, seen, _)| seen.dispatched_s.is_some());
    let mut rows: Vec<RequestRow> = counted
        .chain(further)
        .map(|(row, seen, phase)| rows::request_row(identity, row, phase, seen))
        .collect();
    rows::infer_parts(&mut rows);
    rows
}

/// Twice the threads that the requests came from, up to the cores.
fn more_shards(requests: &[RequestRow]) -> u64 {
    let last = requests.iter().filter_map(|request| request.shard).max();
    let used = last.map_or(1, |last| last + 1);
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    (2 * used).min(cores).max(used)
}

/// A trial that begins now, with the salt of its prompts.
fn started(key: Digest, protocol: &Protocol) -> Execution {
    let now = jiff::Timestamp::now();
    let salt = match protocol.salt.as_str() {
        "" => Digest::of(format!("{key} {now}").as_bytes()).short(),
        fixed => fixed.to_owned(),
    };
    Execution {
        started_at: Some(format!("{now:.3}")),
        salt: Some(salt),
        ..Execution::default()
    }
}

/// An endpoint that served nothing is no result.
fn nothing_succeeded(url: &str, requests: &[RequestRow]) -> StageError {
    let first = requests
        .iter()
        .find(|request| request.phase == Phase::Measure);
    let example = first.map(outcome::evidence).unwrap_or_default();
    StageError::user(format!(
        "none of {} requests to {url} succeeded; the first: {example}",
        requests.len()
    ))
}

/// Prompts that the server counts otherwise than asked for: no length was measured as it was
/// meant.
const MOST_PROMPT_ERROR: f64 = 0.005;

/// What is odd about a trial, in sentences.
fn warnings(measured: &Measurement, requests: &[RequestRow], draw: &Draw) -> Vec<String> {
    let mut warnings = measured.warnings.clone();
    let asked = draw.rows.iter().zip(requests);
    let off = asked.filter(|(row, request)| {
        let error = request.prompt_tokens as f64 / row.prompt_tokens.max(1) as f64 - 1.0;
        request.status.is_complete() && error.abs() > MOST_PROMPT_ERROR && row.prompt.is_none()
    });
    let off = off.count();
    if off > 0 {
        warnings.push(format!(
            "{off} of {} prompts have another length than asked for, by the server's count.",
            draw.rows.len()
        ));
    }
    let first = requests
        .iter()
        .find(|request| request.phase == Phase::Measure);
    let shares = draw.rows.iter().any(|row| row.continues) || shares_prefixes(draw);
    if let Some(cached) = first.and_then(|request| request.cached_tokens)
        && cached > measured.frame_tokens
        && !shares
    {
        warnings.push(format!(
            "The prefix cache was not empty: the first request found {cached} of its tokens there."
        ));
    }
    warnings
}

/// Whether requests of a draw begin alike, so that the cache is meant to serve them.
fn shares_prefixes(draw: &Draw) -> bool {
    let firsts = draw
        .rows
        .iter()
        .filter_map(|row| row.prefix_block_ids.first());
    let mut firsts: Vec<u64> = firsts.copied().collect();
    let all = firsts.len();
    firsts.sort_unstable();
    firsts.dedup();
    firsts.len() < all
}
