//! The caller's side of one run.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, geteuid, kill_process_group};

use super::helper::{OUTER, PLAIN};
use super::output::Output;
use super::protocol::{Job, Report};
use crate::{Ending, Error, Finished, Guard, Limits, Sandbox};

/// Longest report that is read, in bytes.
const REPORT: usize = 64 * 1024;

/// The first of the user ids that a run as root becomes, and how many there are: systemd's range
/// for users that exist while a service runs (systemd.io/UIDS-GIDS).
const DYNAMIC_UIDS: (u32, u32) = (61184, 4336);

/// Runs `program` to its end; see [`Sandbox::run`].
pub(crate) fn run(sandbox: &Sandbox, program: &str, limits: &Limits) -> Result<Finished, Error> {
    let failed = |source: io::Error| Error::Helper {
        helper: sandbox.helper.executable.clone(),
        source,
    };
    let started = Instant::now();
    let directory = match sandbox.guard {
        Guard::Full => None,
        Guard::LimitsOnly => Some(directory_with(program).map_err(failed)?),
    };
    let (mut control, theirs) = UnixStream::pair().map_err(failed)?;
    let mut child = Group(spawn(sandbox, theirs).map_err(failed)?);
    let job = Job {
        program: program.to_owned(),
        limits: limits.clone(),
        python: sandbox.python.clone(),
        guard: sandbox.guard,
        uid: geteuid().is_root().then(|| own_uid(child.0.id())),
        directory: directory
            .as_ref()
            .map(|directory| directory.path().to_owned()),
    };
    let deadline = started + wall(limits);
    send(&mut control, &job, deadline).map_err(failed)?;
    let mut watched = Watched::new(control, &mut child.0, limits).map_err(failed)?;
    let in_time = watched.until(deadline).map_err(failed)?;
    child.end();
    watched.stdout.drain();
    watched.stderr.drain();
    let how = if in_time {
        ending(watched.control.bytes())?
    } else {
        Ending::WallTime
    };
    Ok(Finished {
        how,
        stdout: watched.stdout.into_stream(),
        stderr: watched.stderr.into_stream(),
        wall_s: started.elapsed().as_secs_f64(),
    })
}

/// A day bounds what is asked for: a later deadline is none.
fn wall(limits: &Limits) -> Duration {
    Duration::try_from_secs_f64(limits.wall_s.clamp(0.0, 86_400.0)).unwrap_or_default()
}

fn directory_with(program: &str) -> io::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("program.py"), program)?;
    Ok(directory)
}

fn spawn(sandbox: &Sandbox, control: UnixStream) -> io::Result<Child> {
    let stage = match sandbox.guard {
        Guard::Full => OUTER,
        Guard::LimitsOnly => PLAIN,
    };
    Command::new(&sandbox.helper.executable)
        .args(&sandbox.helper.arguments)
        .arg(stage)
        .env_clear()
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(control)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// A user id that no other run has at the same time, so that limits of processes count one run.
fn own_uid(helper: u32) -> u32 {
    DYNAMIC_UIDS.0 + helper % DYNAMIC_UIDS.1
}

/// Hands the job over. A helper that has hung up already has reported why.
fn send(control: &mut UnixStream, job: &Job, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    control.set_write_timeout(Some(left.max(Duration::from_millis(1))))?;
    let sent = control.write_all(&serde_json::to_vec(job)?);
    match sent.and_then(|()| control.shutdown(Shutdown::Write)) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        sent => sent,
    }
}

/// The helper and its process group, killed when this is dropped at the latest.
struct Group(Child);

impl Group {
    fn end(&mut self) {
        // Both may be gone already.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            self.end();
        }
    }
}

/// The three pipes of a run.
struct Watched {
    control: Output<UnixStream>,
    stdout: Output<ChildStdout>,
    stderr: Output<ChildStderr>,
}

impl Watched {
    fn new(control: UnixStream, child: &mut Child, limits: &Limits) -> io::Result<Self> {
        let missing = || io::Error::other("has no pipe");
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        for pipe in [control.as_fd(), stdout.as_fd(), stderr.as_fd()] {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        let most = limits.output_kb.saturating_mul(1024);
        Ok(Self {
            control: Output::new(control, REPORT),
            stdout: Output::new(stdout, most),
            stderr: Output::new(stderr, most),
        })
    }

    /// Empties the pipes until the helper has closed its socket (true) or time is up (false).
    fn until(&mut self, deadline: Instant) -> io::Result<bool> {
        while self.control.open {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.wait(left)?;
            self.control.drain();
            self.stdout.drain();
            self.stderr.drain();
        }
        Ok(true)
    }

    fn wait(&self, left: Duration) -> io::Result<()> {
        let mut files = vec![PollFd::new(&self.control.pipe, PollFlags::IN)];
        if self.stdout.open {
            files.push(PollFd::new(&self.stdout.pipe, PollFlags::IN));
        }
        if self.stderr.open {
            files.push(PollFd::new(&self.stderr.pipe, PollFlags::IN));
        }
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut files, Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn ending(report: &[u8]) -> Result<Ending, Error> {
    let lost = |reason: &str| Error::Step {
        step: "learn how the program ended".to_owned(),
        reason: reason.to_owned(),
    };
    match serde_json::from_slice(report) {
        Ok(Report::Refused { step, reason }) => Err(Error::Step { step, reason }),
        Ok(Report::Ended {
            signal: Some(libc::SIGXCPU),
            ..
        }) => Ok(Ending::CpuTime),
        Ok(Report::Ended {
            signal: Some(signal),
            ..
        }) => Ok(Ending::Signal(signal)),
        Ok(Report::Ended {
            code: Some(code), ..
        }) => Ok(Ending::Exit(code)),
        Ok(Report::Ended { .. }) => Err(lost("it has neither a code nor a signal")),
        Err(_) => Err(lost("the helper ended without a report")),
    }
}
