//! Processes as `/proc` shows them.

use std::fs;
use std::path::PathBuf;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Pid, Signal, kill_process_group};

/// One process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Letter of `/proc/PID/stat`: `R`unning, `S`leeping, `T` stopped, `Z`ombie, …
    pub(crate) state: char,
    pub(crate) group: u32,
    /// 0 when its leader is outside this process's PID namespace.
    pub(crate) session: u32,
    /// Ticks of its own and of the children that it has waited for.
    cpu_ticks: u64,
    /// Start, ticks since the machine's boot.
    pub(crate) started: u64,
    rss_pages: u64,
}

impl Process {
    /// None when there is no such process, or not any more.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(pid, &String::from_utf8_lossy(&stat))
    }

    fn parse(pid: u32, stat: &str) -> Option<Self> {
        // The name may hold spaces and parentheses: fields count from its last one.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // Numbered from 1 in proc_pid_stat(5); the state is the third.
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |at: usize| field(at)?.parse::<u64>().ok();
        Some(Self {
            pid,
            state: field(3)?.chars().next()?,
            group: field(5)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            cpu_ticks: number(14)? + number(15)? + number(16)? + number(17)?,
            started: number(22)?,
            rss_pages: number(24)?,
        })
    }

    /// Zombies hold nothing, and stay where nobody reaps orphans (containers without an init).
    pub(crate) fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }

    /// Resident memory, bytes; pages shared between processes count in each.
    pub(crate) fn rss_bytes(&self) -> u64 {
        self.rss_pages * page_size() as u64
    }

    /// CPU time of itself and of the children that it has waited for, s.
    pub(crate) fn cpu_s(&self) -> f64 {
        self.cpu_ticks as f64 / clock_ticks_per_second() as f64
    }
}

/// The living processes of a process group.
pub(crate) fn members(group: u32) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Process::read)
        .filter(|process| process.group == group && process.is_alive())
        .collect()
}

/// Name of a process of a group that a signal has stopped, as the kernel cuts it; none where
/// every one may run.
pub(crate) fn stopped(group: u32) -> Option<String> {
    let members = members(group);
    let stopped = members.iter().find(|process| process.state == 'T')?;
    let name = fs::read_to_string(format!("/proc/{}/comm", stopped.pid)).unwrap_or_default();
    Some(name.trim_end().to_owned())
}

/// Sends a signal to a process group. That there is no such group any more is no error.
pub(crate) fn signal(group: u32, signal: Signal) {
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, signal);
    }
}

/// Names the boot of this machine: process ids and start times mean something within one only.
pub(crate) fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Names the PID namespace of this process: a container counts its processes for itself.
pub(crate) fn pid_namespace() -> String {
    let link = fs::read_link("/proc/self/ns/pid").unwrap_or_else(|_| PathBuf::new());
    link.to_string_lossy().into_owned()
}

/// Processes that the kernel has killed for memory since boot, in every control group. None where
/// the kernel does not say.
pub(crate) fn kills_for_memory() -> Option<u64> {
    let counters = fs::read_to_string("/proc/vmstat").ok()?;
    let count = |line: &str| line.strip_prefix("oom_kill ")?.parse().ok();
    counters.lines().find_map(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_a_hostile_name_is_read_from_the_last_parenthesis() {
        let stat = "42 (a) S 1 (b) T 1 40 39 0 -1 4194560 0 0 0 0 10 20 3 4 20 0 1 0 777 9 5 0";
        let process = Process::parse(42, stat).unwrap();
        let fields = (process.state, process.group, process.session);
        assert_eq!(fields, ('T', 40, 39));
        let counts = (process.cpu_ticks, process.started, process.rss_pages);
        assert_eq!(counts, (37, 777, 5));
    }

    #[test]
    fn stat_that_is_cut_off_is_none() {
        for stat in ["", "42 (sh", "42 (sh)", "42 (sh) S 1 2", "42 (sh) S a b c"] {
            assert_eq!(Process::parse(42, stat), None, "{stat}");
        }
    }

    #[test]
    fn this_process_is_a_member_of_its_group() {
        let own = Process::read(std::process::id()).unwrap();
        assert!(members(own.group).iter().any(|other| other.pid == own.pid));
        assert!(own.rss_bytes() > 0);
    }
}
