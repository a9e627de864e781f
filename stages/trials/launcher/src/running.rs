use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::cgroup::Cgroup;
use crate::diagnosis::Evidence;
use crate::group::Group;
use crate::log::{self, Log};
use crate::memory::{self, MemoryLevel};
use crate::process;
use crate::record::Record;
use crate::{Ended, Exit, Failure, Gpus, Health, LaunchPlan, StartError, probe};

/// How often the end of a starting server is looked for.
const POLL: Duration = Duration::from_millis(10);
/// How often a starting server is asked whether it is ready.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// How often a waiting caller hears of the start.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Waits for a line, then becomes the server: when this process is killed before the server is
/// written down, the shell reads an end instead and nothing starts.
const GATE: &str = r#"read -r go && exec "$@" </dev/null"#;

/// A server that is ready, or was. Dropping it stops it.
pub struct Running {
    plan: LaunchPlan,
    child: Child,
    cgroup: Option<Cgroup>,
    record: PathBuf,
    log: Log,
    ready: bool,
    kills_before: Option<u64>,
    gpus: Option<Gpus>,
    memory_before: Vec<Option<f64>>,
    /// How the first process ended, once it is reaped.
    exit: Option<Exit>,
    ended: Option<Ended>,
}

/// A start that is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Since the start, s.
    pub waited_s: f64,
    /// What the server printed last.
    pub last_line: String,
}

/// A server that was stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopped {
    /// How.
    pub ended: Ended,
    /// Time until no process was left, s.
    pub took_s: f64,
    /// What became of the GPUs' memory; none where it cannot be read.
    pub memory: Option<MemoryLevel>,
}

impl Running {
    /// Starts a server in a process group of its own and waits until it is ready. `note` hears
    /// of the start about once a second.
    ///
    /// # Errors
    /// [`StartError::Cancelled`] when `cancelled` says so; otherwise why there is no server.
    /// Nothing is left running.
    pub fn start(
        plan: LaunchPlan,
        state_dir: &Path,
        cancelled: &dyn Fn() -> bool,
        note: &dyn Fn(&Progress),
    ) -> Result<Self, StartError> {
        let host = probe::bindable(&plan.host);
        TcpListener::bind((host, plan.port)).map_err(|error| {
            let (host, port) = (&plan.host, plan.port);
            StartError::infrastructure(format!("{host}:{port} cannot be listened on: {error}"))
        })?;
        let program = plan.program().to_owned();
        let mut running = Self::spawn(plan, state_dir).map_err(|error| {
            StartError::infrastructure(format!("`{program}` cannot be started: {error}"))
        })?;
        running.wait(cancelled, note)?;
        Ok(running)
    }

    fn spawn(plan: LaunchPlan, state_dir: &Path) -> io::Result<Self> {
        let gpus = Gpus::open(&plan.gpus).ok();
        let memory_before = gpus.as_ref().map(Gpus::memory_mb).unwrap_or_default();
        let (output, input) = io::pipe()?;
        let log = Log::start(&plan.log, plan.log_limit_bytes, output)?;
        let kills_before = process::kills_for_memory();
        let mut child = command(&plan, input)?.spawn()?;
        let gate = child.stdin.take();
        let cgroup = Cgroup::of(child.id());
        let record = match record(&child, cgroup.clone(), plan.program(), state_dir) {
            Ok(record) => record,
            Err(error) => {
                // The gate closes unopened, so the shell ends by itself.
                drop(gate);
                child.wait()?;
                return Err(error);
            }
        };
        // Written down before it is made, so that a later run finds it.
        if let Some(cgroup) = &cgroup {
            cgroup.enclose(child.id());
        }
        let running = Self {
            plan,
            child,
            cgroup,
            record,
            log,
            ready: false,
            kills_before,
            gpus,
            memory_before,
            exit: None,
            ended: None,
        };
        running.open(gate)?;
        Ok(running)
    }

    fn open(&self, gate: Option<ChildStdin>) -> io::Result<()> {
        let mut gate = gate.ok_or_else(|| io::Error::other("it has no input"))?;
        gate.write_all(b"go\n")
    }

    fn wait(
        &mut self,
        cancelled: &dyn Fn() -> bool,
        note: &dyn Fn(&Progress),
    ) -> Result<(), StartError> {
        let started = Instant::now();
        let (mut next_probe, mut next_note) = (started, started + NOTE_EVERY);
        let mut health = Health::Silent("it was not asked yet".to_owned());
        while started.elapsed().as_secs_f64() < self.plan.start_timeout_s {
            if cancelled() {
                self.end();
                return Err(StartError::Cancelled);
            }
            if self.exited().is_some() {
                return Err(StartError::Failed(self.failure(health)));
            }
            let now = Instant::now();
            if now >= next_probe {
                next_probe = now + PROBE_EVERY;
                health = self.health();
                // A server of somebody else may answer while ours has just died.
                if health == Health::Ready && self.exited().is_none() {
                    self.ready = true;
                    return Ok(());
                }
            }
            if now >= next_note {
                next_note = now + NOTE_EVERY;
                note(&Progress {
                    waited_s: started.elapsed().as_secs_f64(),
                    last_line: log::last_line(&self.log.text()),
                });
            }
            thread::sleep(POLL);
        }
        Err(StartError::Failed(self.failure(health)))
    }

    /// Where it listens, such as `http://127.0.0.1:8000`.
    #[must_use]
    pub fn base_url(&self) -> String {
        let host = probe::reachable(&self.plan.host);
        let port = self.plan.port;
        match host.contains(':') {
            true => format!("http://[{host}]:{port}"),
            false => format!("http://{host}:{port}"),
        }
    }

    /// Its first process, whose id is that of the process group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the first process ended; none while it runs.
    #[must_use]
    pub fn exited(&self) -> Option<Exit> {
        if self.exit.is_some() {
            return self.exit;
        }
        // The process stays unreaped until the group is gone: until then the kernel cannot give
        // its number, and with it the group's, to anybody else.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(Pid::from_child(&self.child)), options).ok()??;
        let code = status.exit_status().map(Exit::Code);
        code.or_else(|| status.terminating_signal().map(Exit::Signal))
    }

    /// Whether it answers on its readiness path.
    #[must_use]
    pub fn health(&self) -> Health {
        let timeout = seconds(self.plan.probe_timeout_s);
        let plan = &self.plan;
        probe::health(&plan.host, plan.port, &plan.ready_path, timeout)
    }

    /// Why it does not serve; none when it runs and answers. What is left of a server that ended
    /// is stopped first.
    #[must_use]
    pub fn diagnose(&mut self) -> Option<Failure> {
        let health = match self.exited() {
            Some(_) => Health::Silent("it has ended".to_owned()),
            None => self.health(),
        };
        // Seen dying: its sockets close a moment before it can be waited for. And a front may
        // answer for an engine that stands still.
        let serves = health == Health::Ready
            && self.exited().is_none()
            && process::stopped(self.pid()).is_none();
        (!serves).then(|| self.failure(health))
    }

    /// Stops it: SIGTERM to its process group, the grace, SIGKILL. Close your connections first:
    /// servers wait for open streams. Then waits until the GPUs' memory is back.
    #[must_use]
    pub fn stop(mut self) -> Stopped {
        let started = Instant::now();
        let ended = self.end();
        let took_s = started.elapsed().as_secs_f64();
        let memory = self.gpus.as_ref().and_then(|gpus| {
            MemoryLevel::settled(
                || memory::above(&self.memory_before, &gpus.memory_mb()),
                self.plan.memory_tolerance_mb,
                seconds(self.plan.memory_timeout_s),
            )
        });
        Stopped {
            ended,
            took_s,
            memory,
        }
    }

    /// Judges a server that does not serve, and ends what is left of one that exited or never
    /// came up.
    fn failure(&mut self, health: Health) -> Failure {
        let exit = self.exited();
        let stopped = process::stopped(self.pid());
        if exit.is_some() || !self.ready {
            self.end();
        }
        let kills = process::kills_for_memory();
        Evidence {
            plan: &self.plan,
            was_ready: self.ready,
            exit,
            stopped,
            health,
            killed_for_memory: kills > self.kills_before && self.kills_before.is_some(),
            log: &self.log.text(),
            log_broken: self.log.broken(),
        }
        .judge()
    }

    /// Ends every process, once; the log is complete then.
    fn end(&mut self) -> Ended {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let group = Group {
            leader: self.child.id(),
            cgroup: self.cgroup.as_ref(),
        };
        let ended = group.end(seconds(self.plan.stop_grace_s));
        if !matches!(ended, Ended::Left(_)) {
            self.exit = self.exited();
            // Both can only fail when it is done already.
            let _ = self.child.wait();
            let _ = std::fs::remove_file(&self.record);
        }
        self.log.drain();
        self.ended = Some(ended.clone());
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn command(plan: &LaunchPlan, output: io::PipeWriter) -> io::Result<Command> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", GATE, "sbt"])
        .args(&plan.argv)
        .env_clear()
        .envs(&plan.env)
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0);
    if let Some(folder) = &plan.cwd {
        command.current_dir(folder);
    }
    Ok(command)
}

fn record(
    child: &Child,
    cgroup: Option<Cgroup>,
    program: &str,
    state_dir: &Path,
) -> io::Result<PathBuf> {
    let record = Record::of(child.id(), cgroup, program);
    let record = record.ok_or_else(|| io::Error::other("it is gone, or /proc cannot be read"))?;
    record.save(state_dir)
}

/// A duration from data; what is no duration is none.
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}
