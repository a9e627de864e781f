//! Control groups, version 2: hold every process that a server starts, those too that leave its
//! process group (cgroups(7), and `cgroup.kill` of Linux 5.14).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How often an empty group is tried to be removed, and for how long.
const POLL: Duration = Duration::from_millis(2);
const REMOVE_PATIENCE: Duration = Duration::from_millis(500);

/// A control group of one server, or the place of one: without the right to make it, it stays
/// empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// The one for a child of this process, below this process's own; none on a machine without
    /// control groups of version 2.
    pub(crate) fn of(child: u32) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let name = format!("sbt-{}-{child}", std::process::id());
        Some(Self(own_folder(&mounts, &own)?.join(name)))
    }

    /// Makes it and moves a process into it, where this process may.
    pub(crate) fn enclose(&self, pid: u32) {
        let made = fs::create_dir(&self.0);
        let moved = made.and_then(|()| fs::write(self.file("cgroup.procs"), pid.to_string()));
        if moved.is_err() {
            self.remove();
        }
    }

    /// Its living processes.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let listed = fs::read_to_string(self.file("cgroup.procs")).unwrap_or_default();
        listed.lines().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Sends SIGKILL to all of its processes at once, those that are being started too.
    pub(crate) fn kill(&self) {
        // It fails when the group is gone, and then nothing is in it.
        let _ = fs::write(self.file("cgroup.kill"), "1");
    }

    /// Forgets it, once no process is in it: the kernel takes a moment to let go of the dead.
    pub(crate) fn remove(&self) {
        let deadline = Instant::now() + REMOVE_PATIENCE;
        while fs::remove_dir(&self.0).is_err_and(|error| error.kind() == ErrorKind::ResourceBusy)
            && Instant::now() < deadline
        {
            thread::sleep(POLL);
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Where the control group of a process is, from its `mountinfo` and `cgroup`.
fn own_folder(mounts: &str, own: &str) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let (root, mounted) = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        kind.starts_with("cgroup2 ")
            .then(|| Some((fields.next()?, fields.next()?)))?
    })?;
    let below = Path::new(path).strip_prefix(root).ok()?;
    Some(Path::new(mounted).join(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
25 30 0:23 / /proc rw,relatime - proc proc rw
42 32 0:38 /box /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw
";

    #[test]
    fn own_group_is_below_where_the_hierarchy_is_mounted() {
        let own = "4:memory:/old\n0::/box/session-3.scope\n";
        let folder = own_folder(MOUNTS, own).unwrap();
        assert_eq!(folder, Path::new("/sys/fs/cgroup/session-3.scope"));
    }

    #[test]
    fn without_version_two_or_outside_of_the_mount_there_is_none() {
        assert_eq!(own_folder(MOUNTS, "4:memory:/old\n"), None);
        assert_eq!(own_folder(MOUNTS, "0::/other\n"), None);
        assert_eq!(
            own_folder("25 30 0:23 / /proc rw - proc proc rw\n", "0::/\n"),
            None
        );
    }
}
