//! The end of a process group.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::process;

/// How often a group is looked after while it ends.
const POLL: Duration = Duration::from_millis(20);
/// Time that the kernel has to end processes after SIGKILL; a read from a dead disk can hold one.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// How a process group ended.
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

/// Ends every process of a group: SIGTERM, the grace, SIGKILL. Returns when none is left.
pub(crate) fn end(group: u32, grace: Duration) -> Ended {
    if process::members(group).is_empty() {
        return Ended::Before;
    }
    if !grace.is_zero() {
        process::signal(group, Signal::TERM);
        // A stopped process takes the signal only when it goes on.
        process::signal(group, Signal::CONT);
        if empty_within(group, grace) {
            return Ended::Term;
        }
    }
    process::signal(group, Signal::KILL);
    if empty_within(group, KILL_PATIENCE) {
        return Ended::Kill;
    }
    let left = process::members(group);
    Ended::Left(left.iter().map(|process| process.pid).collect())
}

fn empty_within(group: u32, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if process::members(group).is_empty() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(POLL);
    }
}
