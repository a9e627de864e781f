//! What the program may use: resource limits, no privileges, Landlock.

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
    path_beneath_rules,
};
use rustix::process::{Gid, Resource, Rlimit, Uid, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::protocol::{Refusal, Step};
use crate::Limits;

/// File handles at one time. Chosen: Python needs about ten.
const OPEN_FILES: u64 = 64;

/// Landlock's level whose rights are asked for; an older kernel takes what it knows.
const LANDLOCK: ABI = ABI::V6;

/// Sets the limits that every process of the program inherits.
pub(super) fn limit(limits: &Limits) -> Result<(), Refusal> {
    let mb = |n: u64| n.saturating_mul(1 << 20);
    let hard = [
        (Resource::Core, 0),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Fsize, mb(limits.file_mb)),
        (Resource::As, mb(limits.memory_mb)),
    ];
    for (resource, most) in hard {
        set(resource, most, most)?;
    }
    // The first limit ends a program with a signal that tells why, the second with one that it
    // cannot catch.
    set(Resource::Cpu, limits.cpu_s, limits.cpu_s.saturating_add(1))
}

/// Limits how many processes the user has. For a user that runs this program alone, beside
/// `others` of its processes.
pub(super) fn limit_processes(limits: &Limits, others: u64) -> Result<(), Refusal> {
    let most = limits.processes.saturating_add(others);
    set(Resource::Nproc, most, most)
}

fn set(resource: Resource, current: u64, maximum: u64) -> Result<(), Refusal> {
    let limit = Rlimit {
        current: Some(current),
        maximum: Some(maximum),
    };
    setrlimit(resource, limit).step("limit resources")
}

/// Becomes the user `uid` (when root) and gives up every capability for good.
pub(super) fn drop_all(uid: Option<u32>) -> Result<(), Refusal> {
    for capability in CapabilitySet::all().iter() {
        // The kernel may know fewer capabilities than this list.
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    if let Some(id) = uid {
        let (user, group) = (Uid::from_raw(id), Gid::from_raw(id));
        rustix::thread::set_thread_groups(&[]).step("leave all groups")?;
        rustix::thread::set_thread_res_gid(group, group, group).step("become another group")?;
        rustix::thread::set_thread_res_uid(user, user, user).step("become another user")?;
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).step("give up capabilities")?;
    rustix::thread::set_no_new_privs(true).step("forbid new privileges")
}

/// Everything may be read, `/tmp` alone written, no port used, nobody outside be signalled: a
/// second fence behind the namespaces, as high as the kernel allows.
pub(super) fn landlock() -> Result<(), Refusal> {
    let fence = || -> Result<(), landlock::RulesetError> {
        Ruleset::default()
            .handle_access(AccessFs::from_all(LANDLOCK))?
            .handle_access(AccessNet::from_all(LANDLOCK))?
            .scope(Scope::from_all(LANDLOCK))?
            .create()?
            .add_rules(path_beneath_rules(["/"], AccessFs::from_read(LANDLOCK)))?
            .add_rules(path_beneath_rules(["/dev"], AccessFs::WriteFile))?
            .add_rules(path_beneath_rules(["/tmp"], AccessFs::from_all(LANDLOCK)))?
            .restrict_self()?;
        Ok(())
    };
    fence().step("restrict access by Landlock")
}
