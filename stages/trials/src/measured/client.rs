//! One trial as the client runs it: look, reset, load, drain.

use std::time::{Duration, Instant};

use sbt_client::side::Side;
use sbt_client::{Api, Ask, Connections, Counts, Lag, Observed, Observer, PromptForm, Target};
use sbt_engine::{StageContext, StageError};
use sbt_launcher::{Gpus, Sample, Sampler};
use sbt_schemas::WorkloadRow;

use super::limits::{limits, prompt_form};
use super::look::Look;
use super::machine::Ready;
use super::silence::Silence;
use super::telemetry::{Levels, throttling};
use super::{Ending, Measured, schedule};
use crate::draw::Draw;
use crate::protocol::ClientLimits;
use crate::trial_row::EngineSizes;
use crate::{Protocol, ServerSpec, TrialSpec};

/// Samples of the server a second.
const SAMPLES_HZ: f64 = 4.0;
/// Time limit of a call beside the load.
const CALL_WITHIN: Duration = Duration::from_secs(5);
/// Time for the server to end what the client gave up.
const IDLE_WITHIN: Duration = Duration::from_secs(10);

/// Stands for the process group of a server that was not started here: no process has it.
const NO_PROCESS: u32 = u32::MAX >> 1;

/// What a trial showed of a server that took its requests.
pub(crate) struct Measurement {
    /// Of the draw's rows in order, then of `drain`.
    pub(crate) requests: Vec<Observed>,
    /// What went on when the draw was over.
    pub(crate) drain: Vec<WorkloadRow>,
    /// Why the server is taken to hang, if it is.
    pub(crate) hung: Option<String>,
    pub(crate) samples: Vec<Sample<Levels>>,
    pub(crate) lag: Lag,
    /// Share of one core that the client used, all its threads together.
    pub(crate) client_cpu: f64,
    /// Share of one core that its busiest thread used.
    pub(crate) busiest_cpu: f64,
    pub(crate) wall_s: f64,
    /// Tokens that the server adds to every prompt: its template, which its cache keeps.
    pub(crate) frame_tokens: u64,
    /// Sizes of its engine.
    pub(crate) engine: EngineSizes,
    pub(crate) warnings: Vec<String>,
}

/// Serves a draw. The inner error is an ending of the trial that the configuration is to blame
/// for.
pub(crate) fn measure(
    trials: &Measured<'_>,
    ready: &Ready,
    spec: &TrialSpec,
    draw: &Draw,
    protocol: &Protocol,
    salt: &str,
) -> Result<Result<Measurement, Ending>, StageError> {
    let begun = Instant::now();
    let mut limits = limits(&protocol.client, draw);
    let form = prompt_form(protocol.prompts);
    let mut target = ready.target.clone();
    if form == PromptForm::TokenIds {
        target.api = Api::Completions;
    }
    let look = match Look::at(trials, &target, form, &limits)? {
        Ok(look) => look,
        Err(ending) => return Ok(Err(ending)),
    };
    let probe = &look.probe;
    if !probe.keeps_connections {
        limits.connections = Connections::Fresh;
    }
    let target = &probe.target;
    let side = calls(target, CALL_WITHIN)?;
    let mut warnings = Vec::new();
    warnings.extend(reset(&side, &trials.server));
    let mut asks = schedule::asks(draw, spec.rate_scale, seed(salt));
    let (drain, more): (Vec<_>, Vec<_>) = drain(spec, draw, &protocol.client, salt).unzip();
    asks.extend(more);
    let sampler = sampler(ready, target, &trials.server, begun)?;
    let silence = protocol
        .client
        .hung_after_s
        .map(|s| Silence::start(target, s));
    let watch = Watch {
        ctx: trials.ctx,
        config: &spec.config.name,
        silence: silence.transpose()?,
    };
    let ran = sbt_client::run(
        target,
        probe.features,
        &probe.vocabulary,
        &asks,
        &limits,
        &watch,
    );
    let samples = sampler.map(Sampler::stop).unwrap_or_default();
    let seen = ran.map_err(client_error)?;
    trials.ctx.check_cancelled()?;
    let hung = watch.hung();
    if hung.is_none() {
        wait_idle(&side, &trials.server);
    }
    warnings
        .extend(throttling(&samples).map(|why| format!("GPUs ran slower than they could: {why}.")));
    let ended_s = seen.ended_s.max(f64::MIN_POSITIVE);
    Ok(Ok(Measurement {
        lag: seen.lag,
        client_cpu: seen.client_cpu_s / ended_s,
        busiest_cpu: seen.busiest_cpu_s / ended_s,
        requests: seen.requests,
        samples: from_t0(samples, seen.t0, begun),
        frame_tokens: probe.vocabulary.frame_tokens.into(),
        drain,
        hung,
        engine: look.engine,
        wall_s: begun.elapsed().as_secs_f64(),
        warnings,
    }))
}

/// Samples on the clock of the requests.
fn from_t0(samples: Vec<Sample<Levels>>, t0: Instant, origin: Instant) -> Vec<Sample<Levels>> {
    let shift_s = t0.saturating_duration_since(origin).as_secs_f64();
    let moved = samples.into_iter().map(|sample| Sample {
        time_s: sample.time_s - shift_s,
        ..sample
    });
    moved.collect()
}

/// Who hears of a trial that runs.
struct Watch<'a> {
    ctx: &'a StageContext,
    config: &'a str,
    silence: Option<Silence>,
}

impl Watch<'_> {
    fn hung(&self) -> Option<String> {
        self.silence.as_ref()?.verdict()
    }
}

impl Observer for Watch<'_> {
    fn progress(&self, counts: Counts) {
        let done = (counts.ok + counts.failed) as u64;
        let note = format!(
            "requests of `{}`, {} in flight, {} failed",
            self.config, counts.in_flight, counts.failed
        );
        self.ctx.progress(done, counts.asked as u64, &note);
        if let Some(silence) = &self.silence {
            silence.note(counts.silent_s);
        }
    }

    fn stop(&self) -> bool {
        self.ctx.cancel.is_cancelled() || self.hung().is_some()
    }
}

/// What goes on when the draw is over, where it is to.
fn drain(
    spec: &TrialSpec,
    draw: &Draw,
    client: &ClientLimits,
    salt: &str,
) -> impl Iterator<Item = (WorkloadRow, Ask)> {
    let other_words = seed(&format!("{salt} drain"));
    let limit_s = client.drain_timeout_s;
    let more = client
        .keep_load
        .then(|| schedule::drain(draw, spec.rate_scale, other_words, limit_s));
    more.into_iter().flatten()
}

/// Empties the prefix cache, where the server can; prompts of another salt find nothing in it
/// anyway.
fn reset(side: &Side, server: &ServerSpec) -> Option<String> {
    let reset = server.api.reset.as_ref()?;
    let error = side.reset(&reset.method, &reset.path).err()?;
    Some(format!("The prefix cache could not be emptied: {error}."))
}

pub(crate) fn calls(target: &Target, within: Duration) -> Result<Side, StageError> {
    Side::new(target, within).map_err(|error| StageError::user(error.to_string()))
}

/// A word as a number.
fn seed(salt: &str) -> u64 {
    let digest = blake3::hash(salt.as_bytes());
    let (first, _) = digest
        .as_bytes()
        .split_first_chunk()
        .expect("a digest is long enough");
    u64::from_le_bytes(*first)
}

fn sampler(
    ready: &Ready,
    target: &Target,
    server: &ServerSpec,
    origin: Instant,
) -> Result<Option<Sampler<Levels>>, StageError> {
    let names = server.metrics.clone();
    let told = names.names().any(|(_, names)| !names.is_empty());
    let Some(pid) = ready.pid.or(told.then_some(NO_PROCESS)) else {
        return Ok(None);
    };
    let side = calls(target, CALL_WITHIN)?;
    let gpus = (ready.gpus > 0).then(|| Gpus::open(&[]).ok()).flatten();
    let levels = move || match side.metrics() {
        Ok(text) if told => Levels::read(&text, &names),
        Ok(_) | Err(_) => Levels::default(),
    };
    let sampler = Sampler::start(pid, gpus, SAMPLES_HZ, origin, levels);
    sampler.map(Some).map_err(|source| StageError::Io {
        what: "the thread that samples the server".to_owned(),
        source,
    })
}

/// Waits until the server has ended what the client gave up; those that do not tell get no time.
fn wait_idle(side: &Side, server: &ServerSpec) {
    let deadline = Instant::now() + IDLE_WITHIN;
    while Instant::now() < deadline {
        let levels = side
            .metrics()
            .map(|text| Levels::read(&text, &server.metrics));
        if !levels.is_ok_and(|levels| levels.is_idle() == Some(false)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn client_error(error: sbt_client::ClientError) -> StageError {
    StageError::user(error.to_string())
}
