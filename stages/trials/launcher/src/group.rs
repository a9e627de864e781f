//! The processes of a server, and their end.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::cgroup::Cgroup;
use crate::process;

/// How often a group is looked after while it ends.
const POLL: Duration = Duration::from_millis(20);
/// Time that the kernel has to end processes after SIGKILL; a read from a dead disk can hold one.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// How the processes of a server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Nothing ran any more.
    Before,
    /// After SIGTERM, within its grace.
    Term,
    /// By SIGKILL.
    Kill,
    /// Not at all: these processes remain.
    Left(Vec<u32>),
}

/// All processes of one server: a process group, and the control group around it, which also holds
/// those that have left the process group.
pub(crate) struct Group<'a> {
    pub(crate) leader: u32,
    pub(crate) cgroup: Option<&'a Cgroup>,
}

impl Group<'_> {
    /// Process ids of the living.
    pub(crate) fn members(&self) -> Vec<u32> {
        let group = process::members(self.leader).into_iter();
        let mut members: Vec<u32> = group.map(|process| process.pid).collect();
        members.extend(self.cgroup.into_iter().flat_map(Cgroup::processes));
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Ends every process: SIGTERM to the process group, the grace, SIGKILL to all. Returns when
    /// none is left.
    pub(crate) fn end(&self, grace: Duration) -> Ended {
        let ended = self.end_processes(grace);
        if let Some(cgroup) = self.cgroup {
            cgroup.remove();
        }
        ended
    }

    fn end_processes(&self, grace: Duration) -> Ended {
        if self.members().is_empty() {
            return Ended::Before;
        }
        if !grace.is_zero() {
            process::signal(self.leader, Signal::TERM);
            // A stopped process takes the signal only when it goes on.
            process::signal(self.leader, Signal::CONT);
            if self.empty_within(grace) {
                return Ended::Term;
            }
        }
        process::signal(self.leader, Signal::KILL);
        if let Some(cgroup) = self.cgroup {
            cgroup.kill();
        }
        if self.empty_within(KILL_PATIENCE) {
            return Ended::Kill;
        }
        Ended::Left(self.members())
    }

    fn empty_within(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            if self.members().is_empty() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(POLL);
        }
    }
}
