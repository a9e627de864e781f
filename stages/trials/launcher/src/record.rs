//! What is written down about a running server, so that a later run finds it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::group::{Ended, Group};
use crate::process::{self, Process};

/// Time that a server left behind has to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// A process that cannot be taken for another: ids are used again, start times are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    pid: u32,
    /// Ticks since boot: field 22 of `/proc/PID/stat`.
    started: u64,
}

impl Identity {
    fn of(process: &Process) -> Self {
        Self {
            pid: process.pid,
            started: process.started,
        }
    }

    fn lives(self) -> bool {
        let now = Process::read(self.pid);
        now.is_some_and(|process| Self::of(&process) == self && process.is_alive())
    }
}

/// A running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// First process of the server, and with it the process group.
    leader: Identity,
    session: u32,
    /// Around the process group, if it could be made.
    cgroup: Option<Cgroup>,
    /// The process that started it.
    owner: Identity,
    boot: String,
    namespace: String,
    program: String,
}

impl Record {
    /// Describes a child of this process. None when it is gone.
    pub(crate) fn of(child: u32, cgroup: Option<Cgroup>, program: &str) -> Option<Self> {
        let leader = Process::read(child)?;
        Some(Self {
            leader: Identity::of(&leader),
            session: leader.session,
            cgroup,
            owner: Identity::of(&Process::read(std::process::id())?),
            boot: process::boot_id(),
            namespace: process::pid_namespace(),
            program: program.to_owned(),
        })
    }

    /// Writes the record; the file is whole or absent.
    pub(crate) fn save(&self, state_dir: &Path) -> io::Result<PathBuf> {
        let folder = folder(state_dir);
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.json", self.leader.pid));
        let draft = path.with_extension("draft");
        fs::write(&draft, serde_json::to_vec(self)?)?;
        fs::rename(&draft, &path)?;
        Ok(path)
    }

    /// Whether the group's number still stands for this server. A number that the kernel gave
    /// away again has a leader of another start, or members of another session or an older start.
    fn names_its_group(&self) -> bool {
        let reused = Process::read(self.leader.pid)
            .is_some_and(|process| Identity::of(&process) != self.leader);
        let ours = |member: &Process| {
            member.session == self.session && member.started >= self.leader.started
        };
        !reused && process::members(self.leader.pid).iter().all(ours)
    }

    fn stop(&self, grace: Duration) -> Option<Swept> {
        let group = Group {
            leader: self.leader.pid,
            cgroup: self.cgroup.as_ref(),
        };
        if !self.names_its_group() {
            return None;
        }
        let ended = group.end(grace);
        (ended != Ended::Before).then(|| Swept {
            program: self.program.clone(),
            pid: self.leader.pid,
            ended,
        })
    }
}

/// A server that was left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Its program.
    pub program: String,
    /// Process id of its first process, which may have ended before.
    pub pid: u32,
    /// How its processes ended.
    pub ended: Ended,
}

/// Stops the servers that a killed run left behind, and forgets those that are gone. A server
/// whose owner lives is left alone, and so is one of another PID namespace. Processes are known by
/// id, start time, session and boot, never by name.
///
/// # Errors
/// When the records cannot be listed.
pub fn sweep(state_dir: &Path) -> io::Result<Vec<Swept>> {
    let (boot, namespace) = (process::boot_id(), process::pid_namespace());
    let mut swept = Vec::new();
    for (path, record) in records(state_dir)? {
        let stopped = match record {
            Some(record) if record.boot == boot => {
                if record.namespace != namespace || record.owner.lives() {
                    continue;
                }
                record.stop(GRACE)
            }
            // Of an earlier boot, or no record: nothing of it can run.
            Some(_) | None => None,
        };
        let left = stopped
            .as_ref()
            .is_some_and(|s| matches!(s.ended, Ended::Left(_)));
        swept.extend(stopped);
        if !left {
            // A second sweep at the same time may have removed it.
            let _ = fs::remove_file(path);
        }
    }
    Ok(swept)
}

/// Kills every server of this process at once, for a program that is about to exit without
/// unwinding.
pub fn kill_own(state_dir: &Path) {
    let own = std::process::id();
    for (path, record) in records(state_dir).unwrap_or_default() {
        let Some(record) = record.filter(|record| record.owner.pid == own) else {
            continue;
        };
        record.stop(Duration::ZERO);
        let _ = fs::remove_file(path);
    }
}

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("servers")
}

/// Every record by its file; none for a file that cannot be read as one.
fn records(state_dir: &Path) -> io::Result<Vec<(PathBuf, Option<Record>)>> {
    let entries = match fs::read_dir(folder(state_dir)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut records = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let record = fs::read(&path).ok();
            let record = record.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            records.push((path, record));
        }
    }
    records.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(records)
}
