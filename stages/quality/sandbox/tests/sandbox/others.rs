//! The network, other processes and the kernel are out of reach.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use sbt_sandbox::Limits;

use crate::{attempt, isolated, run};

#[test]
fn socket_is_refused() {
    let Some(sandbox) = isolated() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = format!("socket.create_connection(('127.0.0.1', {port}), 1)\nprint('through')");
    assert_eq!(attempt(&sandbox, &connect), "PermissionError");
    for family in ["AF_UNIX", "AF_INET6", "AF_NETLINK", "AF_PACKET"] {
        let open = format!("socket.socket(socket.{family}, socket.SOCK_DGRAM)\nprint('open')");
        assert_eq!(attempt(&sandbox, &open), "PermissionError", "{family}");
    }
}

#[test]
fn parent_and_processes_outside_live_on() {
    let Some(sandbox) = isolated() else { return };
    let mut outside = Command::new("sleep")
        .arg("60")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let (pid, own) = (outside.id(), std::process::id());
    let kill = format!(
        "
for pid in (os.getppid(), 1, {pid}, {own}):
    try:
        os.kill(pid, 9)
    except OSError:
        pass
try:
    os.kill(-1, 9)
except OSError:
    pass
print('alive', os.getpid(), os.getppid())"
    );
    let said = attempt(&sandbox, &kill);
    assert!(said.starts_with("alive ") && said.ends_with(" 1"), "{said}");
    assert!(
        outside.try_wait().unwrap().is_none(),
        "the process outside was killed"
    );
    outside.kill().unwrap();
    outside.wait().unwrap();
}

#[test]
fn daemon_dies_with_its_program() {
    let Some(sandbox) = isolated() else { return };
    // It holds the output open: the run would last as long as it lives.
    let daemon = "
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setpgid(0, 0)
        time.sleep(1000)
    os._exit(0)
os.wait()
print('left')
";
    let finished = sandbox
        .run(
            daemon,
            &Limits {
                wall_s: 60.0,
                ..Limits::default()
            },
        )
        .unwrap();
    assert_eq!(finished.stdout.text, "left\n");
    assert!(
        finished.wall_s < 30.0,
        "the daemon was waited for: {finished:?}"
    );
}

#[test]
fn tracing_namespaces_mounts_and_rare_calls_are_refused() {
    let Some(sandbox) = isolated() else { return };
    let call = |name: &str, arguments: &str| {
        let body = format!(
            "libc = ctypes.CDLL(None, use_errno=True)\nprint(libc.{name}({arguments}), ctypes.get_errno())"
        );
        attempt(&sandbox, &body)
    };
    let eperm = format!("-1 {}", libc_eperm());
    assert_eq!(call("ptrace", "16, 1, 0, 0"), eperm);
    assert_eq!(call("ptrace", "0, 0, 0, 0"), eperm);
    assert_eq!(call("unshare", "0x10000000"), eperm);
    assert_eq!(call("mount", "b'none', b'/tmp', b'tmpfs', 0, 0"), eperm);
    assert_eq!(call("umount", "b'/usr/lib'"), eperm);
    assert_eq!(call("chroot", "b'/tmp'"), eperm);
    assert_eq!(call("setuid", "0"), eperm);
    assert_eq!(call("process_vm_readv", "1, 0, 0, 0, 0, 0"), eperm);
    // clone with a new user namespace, bpf, keyctl, io_uring_setup: by number on x86_64.
    if cfg!(target_arch = "x86_64") {
        for number in [
            "56, 0x10000011, 0, 0, 0, 0",
            "321, 0, 0, 0",
            "250, 0, 0, 0",
            "425, 1, 0",
        ] {
            assert_eq!(call("syscall", number), eperm, "{number}");
        }
    }
}

fn libc_eperm() -> i32 {
    rustix::io::Errno::PERM.raw_os_error()
}

#[test]
fn no_other_program_is_at_hand() {
    let Some(sandbox) = isolated() else { return };
    assert_eq!(
        attempt(&sandbox, "subprocess.run(['/bin/sh', '-c', 'id'])"),
        "FileNotFoundError"
    );
    assert_eq!(
        run(&sandbox, "import os; print(os.system('id'))")
            .stdout
            .text,
        "32512\n"
    );
}
