use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use sbt_engine::{StageContext, StageError};

/// Variables that every program gets.
pub(crate) const ALWAYS_PASSED: &[&str] = &["PATH", "HOME", "LANG", "TMPDIR"];
/// Bytes at the end of the log that an error shows.
const TAIL: i64 = 2_000;
/// Bytes of the log that are kept; what a program prints beyond is dropped.
const LOG_LIMIT: u64 = 16 << 20;
/// How often a program is looked after, growing from the first to the last.
const POLL: [Duration; 2] = [Duration::from_micros(200), Duration::from_millis(20)];
/// Time between the request to stop and the end of patience.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a program in a process group of its own, output to the stage's log.
pub(crate) fn run(
    words: &[String],
    variables: &BTreeMap<String, String>,
    ctx: &StageContext,
) -> Result<(), StageError> {
    let (program, arguments) = words
        .split_first()
        .expect("planning refuses an empty command");
    let log = Log::create(ctx)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(log.handle()?)
        .stderr(log.handle()?)
        .process_group(0);
    let mut child = command
        .spawn()
        .map_err(|error| StageError::user(format!("cannot start `{program}`: {error}")))?;
    let status = wait(&mut child, ctx, &log)?;
    if status.success() {
        return Ok(());
    }
    let tail = log.tail();
    let tail = tail.trim_end();
    let said = if tail.is_empty() {
        ", and said nothing".to_owned()
    } else {
        format!(":\n{tail}")
    };
    Err(StageError::user(format!(
        "`{program}` ended with {status}{said}"
    )))
}

fn wait(child: &mut Child, ctx: &StageContext, log: &Log) -> Result<ExitStatus, StageError> {
    let mut pause = POLL[0];
    loop {
        let looked = child.try_wait().map_err(|source| StageError::Io {
            what: "cannot wait for the program".to_owned(),
            source,
        })?;
        if let Some(status) = looked {
            // What it left running in the background has nobody to report to.
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            return Ok(status);
        }
        if ctx.cancel.is_cancelled() {
            stop(child);
            return Err(StageError::Cancelled);
        }
        log.bound();
        std::thread::sleep(pause);
        pause = (pause * 2).min(POLL[1]);
    }
}

/// Stops the whole group: first politely, then for good.
fn stop(child: &mut Child) {
    let group = Pid::from_child(child);
    let _ = kill_process_group(group, Signal::TERM);
    let mut waited = Duration::ZERO;
    while waited < GRACE && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(POLL[1]);
        waited += POLL[1];
    }
    // Children of the program may outlive it: the group gets the last signal in any case.
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

struct Log {
    file: File,
}

impl Log {
    fn create(ctx: &StageContext) -> Result<Self, StageError> {
        let io = |source| StageError::Io {
            what: format!("cannot write {}", ctx.log.display()),
            source,
        };
        if let Some(folder) = ctx.log.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let file = File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(&ctx.log)
            .map_err(io)?;
        Ok(Self { file })
    }

    fn handle(&self) -> Result<Stdio, StageError> {
        let clone = self.file.try_clone().map_err(|source| StageError::Io {
            what: "cannot share the log".to_owned(),
            source,
        })?;
        Ok(Stdio::from(clone))
    }

    /// Starts the file over when a program prints without end.
    fn bound(&self) {
        if self
            .file
            .metadata()
            .is_ok_and(|file| file.len() > LOG_LIMIT)
        {
            let _ = self.file.set_len(0);
            let _ = (&self.file).write_all(b"[earlier output was dropped]\n");
        }
    }

    fn tail(&self) -> String {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        let start = file
            .seek(SeekFrom::End(-TAIL))
            .or_else(|_| file.seek(SeekFrom::Start(0)));
        if start.is_ok() {
            // An unreadable log leaves the exit status to tell.
            let _ = file.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
