//! Stage 1: new namespaces for the process that comes next.

use std::fs;

use nix::sched::CloneFlags;
use rustix::process::{getegid, geteuid};

use super::protocol::{Refusal, Step};

/// Enters new namespaces; the next child is process 1 of the new pid namespace. Root needs no user
/// namespace: it becomes a user of its own later.
pub(super) fn enter() -> Result<(), Refusal> {
    let (uid, gid) = (geteuid(), getegid());
    let mut flags = CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if !uid.is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    nix::sched::unshare(flags).step("enter new namespaces")?;
    if !uid.is_root() {
        // An unprivileged user may map groups only after it has given up setting them.
        fs::write("/proc/self/setgroups", "deny").step("give up supplementary groups")?;
        fs::write("/proc/self/uid_map", format!("0 {} 1", uid.as_raw())).step("map the user")?;
        fs::write("/proc/self/gid_map", format!("0 {} 1", gid.as_raw())).step("map the group")?;
    }
    Ok(())
}
