//! The two halves of the helper: the first enters the namespaces, the second is their process 1.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use rustix::process::Signal;

use super::filesystem::{self, PROGRAM};
use super::protocol::{Job, Refusal, Report, Step, caller};
use super::{namespaces, privileges, syscalls};
use crate::Guard;

/// The first half's argument.
pub(super) const OUTER: &str = "outer";
/// The second half's.
const INIT: &str = "init";
/// The first half where nothing is isolated.
pub(super) const PLAIN: &str = "plain";

/// The helper's own processes, which count as the program's user's.
const HALVES: u64 = 2;

/// The helper's `main`: call it before any thread is started. The last argument of the process is
/// the stage. Reads its job from and reports to standard input, which is a socket.
pub fn helper_main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let stage = arguments.pop();
    let done = match stage.as_deref().and_then(|stage| stage.to_str()) {
        Some(OUTER) => outer(&arguments),
        Some(INIT | PLAIN) => inner().and_then(|report| answer(&report)),
        _ => return ExitCode::FAILURE,
    };
    let Err(Refusal { step, reason }) = done else {
        return ExitCode::SUCCESS;
    };
    let step = step.to_owned();
    // When the caller is gone nobody is left to tell.
    let _ = answer(&Report::Refused { step, reason });
    ExitCode::FAILURE
}

fn outer(arguments: &[OsString]) -> Result<(), Refusal> {
    die_with_parent()?;
    namespaces::enter()?;
    // The second half answers for itself; when it was killed, the silence says so.
    Command::new("/proc/self/exe")
        .args(arguments)
        .arg(INIT)
        .status()
        .step("start process 1 of the namespace")?;
    Ok(())
}

fn inner() -> Result<Report, Refusal> {
    let job = receive()?;
    let mut python = Command::new(&job.python.executable);
    python
        .args(["-I", "-S", "-B", "-X", "utf8"])
        .env_clear()
        .stdin(Stdio::null());
    match job.guard {
        Guard::Full => {
            isolate(&job)?;
            python.arg(PROGRAM).current_dir("/tmp");
        }
        Guard::LimitsOnly => {
            die_with_parent()?;
            // No limit of processes: it would count all that the user runs.
            privileges::limit(&job.limits)?;
            let directory = job
                .directory
                .as_deref()
                .ok_or("none was given")
                .step("find a directory")?;
            python
                .arg(directory.join("program.py"))
                .current_dir(directory);
        }
    }
    let status = python.status().step("start Python")?;
    Ok(ended(status))
}

/// The order matters: each step takes away what the next ones do not need.
fn isolate(job: &Job) -> Result<(), Refusal> {
    close_inherited().step("close inherited files")?;
    let owner = job.uid.unwrap_or(0);
    filesystem::replace_root(&job.python, &job.program, job.limits.file_mb, owner)?;
    rustix::system::sethostname(b"sandbox").step("name the host")?;
    privileges::limit(&job.limits)?;
    privileges::limit_processes(&job.limits, HALVES)?;
    privileges::drop_all(job.uid)?;
    // After the change of user, which would undo it.
    die_with_parent()?;
    privileges::landlock()?;
    syscalls::restrict()
}

fn die_with_parent() -> Result<(), Refusal> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step("end with the caller")
}

/// Files that the caller's own parent left open would be open in the program too.
fn close_inherited() -> io::Result<()> {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for file in open.into_iter().filter(|file| *file > 2) {
        // One of them was the listing itself, and is closed already.
        let _ = nix::unistd::close(file);
    }
    Ok(())
}

fn receive() -> Result<Job, Refusal> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).step("read the job")?;
    serde_json::from_str(&text).step("read the job")
}

fn answer(report: &Report) -> Result<(), Refusal> {
    let text = serde_json::to_vec(report).step("report")?;
    caller().step("report")?.write_all(&text).step("report")
}

fn ended(status: ExitStatus) -> Report {
    Report::Ended {
        code: status.code(),
        signal: status.signal(),
    }
}
