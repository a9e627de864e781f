use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sbt_client::{Api, ApiKey, Target};
use sbt_engine::{StageContext, StageError};
use sbt_launcher::{LaunchPlan, MachineLock, Progress, Running, StartError, Swept, sweep};

use super::Ending;
use super::look::Look;
use crate::backend::{EndpointApi, EndpointBackend, LaunchedBackend};
use crate::server::{Place, RequestForm};
use crate::{Backend, Config, ServerSpec};

/// Address that started servers listen on: nobody else's business.
const HOST: &str = "127.0.0.1";
/// Time for one answer on the readiness path.
const PROBE_TIMEOUT_S: f64 = 5.0;
/// Most of a server's log that is kept.
const LOG_LIMIT_BYTES: u64 = 4 << 20;
/// How far above its level before the start a GPU's memory may stay. Chosen: other programs'
/// buffers move by less.
const MEMORY_TOLERANCE_MB: f64 = 200.0;
/// Time that drivers take to give memory back.
const MEMORY_TIMEOUT_S: f64 = 15.0;

/// The server that trials are measured on: the one that runs already, or one started for a
/// configuration and kept until another is asked for.
pub(crate) struct Machine<'a> {
    ctx: &'a StageContext,
    backend: Backend,
    server: Cow<'static, ServerSpec>,
    live: Mutex<Option<Live>>,
}

/// A started server.
struct Live {
    config_id: String,
    running: Running,
    /// What the first trial on it found out.
    look: Option<Look>,
    _locks: Vec<MachineLock>,
}

/// A server that takes requests.
pub(crate) struct Ready {
    pub(crate) target: Target,
    /// Its first process, where it was started here.
    pub(crate) pid: Option<u32>,
    /// GPUs that it may use, where it was started here.
    pub(crate) gpus: u64,
    /// Keeps others from measuring an endpoint at the same time.
    _lock: Option<MachineLock>,
}

/// Why no server takes requests.
pub(crate) enum Unready {
    /// The configuration is to blame.
    Configuration(Ending),
    /// Something else is.
    Stage(StageError),
}

impl<'a> Machine<'a> {
    pub(crate) fn new(
        ctx: &'a StageContext,
        backend: &Backend,
        server: Cow<'static, ServerSpec>,
    ) -> Self {
        Self {
            ctx,
            backend: backend.clone(),
            server,
            live: Mutex::new(None),
        }
    }

    /// A server with this configuration.
    pub(crate) fn ready(&self, config: &Config) -> Result<Ready, Unready> {
        match &self.backend {
            Backend::Server(launched) => self.started(launched, config),
            Backend::Endpoint(endpoint) => self.found(endpoint).map_err(Unready::Stage),
            Backend::Simulator(_) => unreachable!("the simulator has no machine"),
        }
    }

    fn found(&self, endpoint: &EndpointBackend) -> Result<Ready, StageError> {
        let mut target = Target::parse(&endpoint.url).map_err(StageError::user)?;
        target.model.clone_from(&endpoint.model);
        target.api = match endpoint.api {
            EndpointApi::Auto | EndpointApi::Chat => Api::Chat,
            EndpointApi::Completions => Api::Completions,
        };
        if !endpoint.api_key_env.is_empty() {
            let name = &endpoint.api_key_env;
            let value = self.ctx.env.get(name).ok_or_else(|| {
                StageError::user(format!(
                    "the variable {name}, which holds the key, is not set"
                ))
            })?;
            let key = ApiKey::new(value);
            let key = key.map_err(|error| StageError::user(format!("{name}: {error}")))?;
            target.key = Some(key);
        }
        let place = format!("endpoint-{}-{}", plain(target.host()), target.port());
        Ok(Ready {
            _lock: Some(self.lock(&place)?),
            target,
            pid: None,
            gpus: 0,
        })
    }

    fn started(&self, launched: &LaunchedBackend, config: &Config) -> Result<Ready, Unready> {
        let mut live = self.live();
        let config_id = config.id();
        let serves = |live: &Live| live.config_id == config_id && live.running.exited().is_none();
        if !live.as_ref().is_some_and(serves) {
            self.stop_live(live.take());
            *live = Some(self.start(launched, config)?);
        }
        let running = &live.as_ref().expect("it was started").running;
        let url = format!("{}/v1", running.base_url());
        let mut target = Target::parse(&url).expect("an address makes a URL");
        launched.model_name().clone_into(&mut target.model);
        target.api = match self.server.api.requests.first() {
            Some(RequestForm::Completions) => Api::Completions,
            Some(RequestForm::Chat) | None => Api::Chat,
        };
        Ok(Ready {
            target,
            pid: Some(running.pid()),
            gpus: launched.gpus,
            _lock: None,
        })
    }

    fn start(&self, launched: &LaunchedBackend, config: &Config) -> Result<Live, Unready> {
        let locks = self.locks(launched).map_err(Unready::Stage)?;
        self.sweep().map_err(Unready::Stage)?;
        let plan = self.plan(launched, config).map_err(Unready::Stage)?;
        let log = plan.log.clone();
        let timeout_s = plan.start_timeout_s;
        let note = |progress: &Progress| {
            let line = format!("starting {}: {}", self.server.name, progress.last_line);
            self.ctx
                .progress(progress.waited_s as u64, timeout_s as u64, &line);
        };
        let cancelled = || self.ctx.cancel.is_cancelled();
        match Running::start(plan, &state_dir(), &cancelled, &note) {
            Ok(running) => Ok(Live {
                config_id: config.id(),
                running,
                look: None,
                _locks: locks,
            }),
            Err(StartError::Cancelled) => Err(Unready::Stage(StageError::Cancelled)),
            Err(StartError::Failed(failure)) if failure.infrastructure => {
                let log = log.display();
                let message = format!(
                    "{} did not start: {failure}; its log: {log}",
                    self.server.name
                );
                Err(Unready::Stage(StageError::user(message)))
            }
            Err(StartError::Failed(failure)) => {
                self.ctx.warn(format!(
                    "`{}` did not start: {failure}; its log: {}",
                    config.name,
                    log.display()
                ));
                Err(Unready::Configuration((failure.outcome, failure.reason)))
            }
        }
    }

    fn plan(&self, launched: &LaunchedBackend, config: &Config) -> Result<LaunchPlan, StageError> {
        let launch = self.server.launch.as_ref();
        let launch = launch.ok_or_else(|| StageError::user("this server cannot be started"))?;
        let port = match launched.port {
            Some(port) => port,
            None => sbt_launcher::free_port(HOST).map_err(|source| StageError::Io {
                what: "no free port".to_owned(),
                source,
            })?,
        };
        let place = Place {
            program: launched.program.as_deref(),
            host: HOST,
            port,
            name: launched.model_name(),
        };
        let mut argv = self
            .server
            .measured_command(&launched.model, config, &place);
        argv.extend(launched.args.iter().cloned());
        Ok(LaunchPlan {
            argv,
            env: launch.environment(self.ctx.env.clone(), &launched.env),
            cwd: None,
            host: HOST.to_owned(),
            port,
            ready_path: self.server.ready.path.clone(),
            start_timeout_s: launched.start_timeout_s.unwrap_or(launch.start_timeout_s),
            probe_timeout_s: PROBE_TIMEOUT_S,
            stop_grace_s: launch.stop_grace_s,
            log: self.log_path(config),
            log_limit_bytes: LOG_LIMIT_BYTES,
            failures: self.server.failures.clone(),
            gpus: Vec::new(),
            memory_tolerance_mb: MEMORY_TOLERANCE_MB,
            memory_timeout_s: MEMORY_TIMEOUT_S,
        })
    }

    /// Beside the stage's own log, one for each configuration.
    fn log_path(&self, config: &Config) -> PathBuf {
        let stage = self.ctx.log.with_extension("");
        let stage = stage.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{stage}.{}-{}.log", self.server.name, config.id());
        self.ctx.log.with_file_name(name)
    }

    /// Stops the servers that a killed run left behind.
    fn sweep(&self) -> Result<(), StageError> {
        let swept = sweep(&state_dir()).map_err(|source| StageError::Io {
            what: format!(
                "the servers of earlier runs, under {}",
                state_dir().display()
            ),
            source,
        })?;
        for Swept { program, pid, .. } in swept {
            let message =
                format!("stopped `{program}` (process {pid}), which a killed run left behind");
            self.ctx.warn(message);
        }
        Ok(())
    }

    fn locks(&self, launched: &LaunchedBackend) -> Result<Vec<MachineLock>, StageError> {
        let places = match launched.gpus {
            0 => vec!["cpu".to_owned()],
            gpus => (0..gpus).map(|gpu| format!("gpu-{gpu}")).collect(),
        };
        places.iter().map(|place| self.lock(place)).collect()
    }

    fn lock(&self, place: &str) -> Result<MachineLock, StageError> {
        let wait = |holder: &str| {
            let message = format!("another sbt measures on {place} ({holder}); waiting for it");
            self.ctx.warn(message);
        };
        let cancelled = || self.ctx.cancel.is_cancelled();
        let lock = MachineLock::acquire(&state_dir(), place, wait, &cancelled);
        let lock = lock.map_err(|source| StageError::Io {
            what: format!("the lock of {place}, under {}", state_dir().display()),
            source,
        })?;
        lock.ok_or(StageError::Cancelled)
    }

    /// What is known of the started server that does not change while it runs.
    pub(crate) fn known(&self) -> Option<Look> {
        self.live().as_ref()?.look.clone()
    }

    /// Keeps what was found out about the started server until it stops.
    pub(crate) fn learn(&self, look: &Look) {
        if let Some(live) = self.live().as_mut() {
            live.look = Some(look.clone());
        }
    }

    /// How the started server came to its end, or why it no longer answers; none when it serves,
    /// or was not started here.
    pub(crate) fn death(&self) -> Option<Ending> {
        let mut live = self.live();
        let failure = live.as_mut()?.running.diagnose()?;
        self.stop_live(live.take());
        Some((failure.outcome, failure.reason))
    }

    /// Stops the started server, if one runs.
    pub(crate) fn stop(&self) {
        self.stop_live(self.live().take());
    }

    fn stop_live(&self, live: Option<Live>) {
        let Some(live) = live else { return };
        let stopped = live.running.stop();
        if let Some(memory) = stopped.memory.filter(|memory| !memory.is_back) {
            self.ctx.warn(format!(
                "after the stop of {} a GPU has {:.0} MB more in use than before its start",
                self.server.name, memory.above_mb
            ));
        }
    }

    fn live(&self) -> MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where all runs of a user on this machine meet: records of servers, and locks.
fn state_dir() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    PathBuf::from(format!("/tmp/sbt-{user}"))
}

/// Stops every server that this process has started, at once: for an end without unwinding.
pub fn kill_servers() {
    sbt_launcher::kill_own(&state_dir());
}

/// A host as part of a file name.
fn plain(host: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    host.chars().map(plain).collect()
}
