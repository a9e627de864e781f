//! The same as a user without privileges, by way of a user namespace, when the tests run as root.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The user `nobody`.
const NOBODY: u32 = 65534;

#[test]
fn user_without_privileges_contains_the_same() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: every other test runs without privileges already");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let tests = Command::new(std::env::current_exe().unwrap())
        .args(["files::", "others::", "resources::", "--nocapture"])
        .env("HOME", home.path())
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .uid(NOBODY)
        .gid(NOBODY)
        .output();
    let Ok(output) = tests else {
        println!("skipped: the test's binary is out of reach of another user");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(output.status.success(), "{said}");
    assert!(said.contains("files::secret_file_is_not_there"), "{said}");
}
