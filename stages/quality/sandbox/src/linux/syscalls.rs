//! The system calls that Python needs; every other one fails with `EPERM`.
//!
//! A list of what is allowed holds for calls that a newer kernel adds and for the x32 numbers too.

use std::collections::BTreeMap;

use libc::*;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::protocol::{Refusal, Step};

/// Files: what a path or an open file allows is left to mounts, permissions and Landlock.
const FILES: &[c_long] = &[
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_openat,
    SYS_close,
    SYS_close_range,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    SYS_chdir,
    SYS_fchdir,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_ftruncate,
    SYS_truncate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_fallocate,
    SYS_flock,
    SYS_utimensat,
    SYS_umask,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_fcntl,
    SYS_sendfile,
    SYS_copy_file_range,
    SYS_fadvise64,
    SYS_getxattr,
    SYS_memfd_create,
];

/// Waiting.
const WAITING: &[c_long] = &[
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_eventfd2,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_futex,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_sched_yield,
];

/// Memory, time, random numbers.
const MEMORY: &[c_long] = &[
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_membarrier,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_times,
    SYS_getrandom,
    SYS_rseq,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_set_tid_address,
];

/// Processes and signals, which the pid namespace keeps inside. `clone` and `clone3`: see below.
const PROCESSES: &[c_long] = &[
    SYS_execve,
    SYS_exit,
    SYS_exit_group,
    SYS_wait4,
    SYS_waitid,
    SYS_clone3,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigsuspend,
    SYS_rt_sigpending,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_setitimer,
    SYS_getitimer,
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getpgid,
    SYS_setpgid,
    SYS_getsid,
    SYS_setsid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrusage,
    SYS_prlimit64,
    SYS_getpriority,
    SYS_setpriority,
    SYS_sched_getaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
];

/// Older forms of the above, which newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_unlink,
    SYS_rename,
    SYS_link,
    SYS_symlink,
    SYS_chmod,
    SYS_dup2,
    SYS_pipe,
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_alarm,
    SYS_time,
    SYS_arch_prctl,
    SYS_vfork,
    SYS_fork,
    SYS_getpgrp,
    SYS_pause,
    SYS_getdents,
    SYS_utimes,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// What Python asks of an open file: is it a terminal, how much is there, close it on `execve`.
const IOCTLS: &[c_ulong] = &[TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX];

/// Flags of `clone` that make a namespace.
const NAMESPACES: c_int = CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET;

/// Restricts this process and all that come of it.
pub(super) fn restrict() -> Result<(), Refusal> {
    let programs = || -> Result<[BpfProgram; 2], seccompiler::BackendError> {
        // The second forbids to install another.
        Ok([without_clone3()?, allowed()?])
    };
    for program in programs().step("write a filter of system calls")? {
        seccompiler::apply_filter(&program).step("filter system calls")?;
    }
    Ok(())
}

fn allowed() -> Result<BpfProgram, seccompiler::BackendError> {
    let lists = [FILES, WAITING, MEMORY, PROCESSES, OLDER];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = lists
        .into_iter()
        .flatten()
        .map(|call| (*call, Vec::new()))
        .collect();
    let no_namespace = SeccompCmpOp::MaskedEq(u64::from(NAMESPACES.cast_unsigned()));
    rules.insert(SYS_clone, vec![argument(0, no_namespace, 0)?]);
    // A pair of connected ends, which event loops wake themselves with; no other socket.
    rules.insert(
        SYS_socketpair,
        vec![argument(0, SeccompCmpOp::Eq, AF_UNIX as u64)?],
    );
    let ioctls = IOCTLS
        .iter()
        .map(|request| argument(1, SeccompCmpOp::Eq, *request));
    rules.insert(SYS_ioctl, ioctls.collect::<Result<_, _>>()?);
    filter(
        rules,
        SeccompAction::Errno(EPERM as u32),
        SeccompAction::Allow,
    )
}

/// The flags of `clone3` stand in memory, where a filter cannot look. Told that the call does not
/// exist, the C library takes `clone`.
fn without_clone3() -> Result<BpfProgram, seccompiler::BackendError> {
    let rules = BTreeMap::from([(SYS_clone3, Vec::new())]);
    filter(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(ENOSYS as u32),
    )
}

fn argument(
    index: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, seccompiler::BackendError> {
    let condition = SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)?;
    SeccompRule::new(vec![condition])
}

fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    others: SeccompAction,
    these: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, others, these, architecture)?.try_into()
}
