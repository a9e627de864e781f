//! Servers and locks of a run that was killed.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use sbt_launcher::{Ended, Health, MachineLock, Running, kill_own, sweep};

use crate::fake::{self, Sandbox, eventually, is_alive, signal};

/// Folder of a test that runs another one of this file as a process of its own.
const FOLDER: &str = "LAUNCHER_TEST_FOLDER";

fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs an ignored test of this file as a process of its own.
fn spawn(test: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("leftovers::{test}"),
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The same, when it has said that it is ready.
fn process(test: &str, folder: &Path) -> Child {
    let mut child = spawn(test, folder);
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = output.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.ends_with("ready")));
    // Nobody may block on a full pipe.
    thread::spawn(move || lines.for_each(drop));
    child
}

fn say_ready_and_wait() {
    println!("ready");
    thread::sleep(Duration::from_secs(600));
}

#[test]
#[ignore = "run by other tests as a process"]
fn owner() {
    let Some(folder) = folder() else { return };
    let child = format!("child={}", folder.join("child").display());
    let plan = fake::plan(&folder, &[&child]);
    let running = Running::start(plan, &folder, &|| false, &|_| {}).unwrap();
    fs::write(folder.join("server"), running.pid().to_string()).unwrap();
    say_ready_and_wait();
}

#[test]
#[ignore = "run by other tests as a process"]
fn owner_that_exits_at_once() {
    let Some(folder) = folder() else { return };
    let child = format!("child={}", folder.join("child").display());
    let running = Running::start(fake::plan(&folder, &[&child]), &folder, &|| false, &|_| {});
    fs::write(folder.join("server"), running.unwrap().pid().to_string()).unwrap();
    println!("ready");
}

#[test]
#[ignore = "run by other tests as a process"]
fn lock_holder() {
    let Some(folder) = folder() else { return };
    let lock = MachineLock::acquire(&folder, "gpu-0", |_| (), &|| false).unwrap();
    assert!(lock.is_some());
    say_ready_and_wait();
}

/// A server, and its child, whose owner was killed.
struct Orphan {
    sandbox: Sandbox,
    server: u32,
    cgroups: Vec<PathBuf>,
}

impl Orphan {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let mut owner = process("owner", sandbox.path());
        owner.kill().unwrap();
        owner.wait().unwrap();
        let server = fs::read_to_string(sandbox.path().join("server")).unwrap();
        let server = server.parse().unwrap();
        assert!(is_alive(server) && is_alive(sandbox.child()));
        Self {
            cgroups: sandbox.cgroups(),
            sandbox,
            server,
        }
    }

    /// Changes the only record.
    fn rewrite(&self, change: impl Fn(&mut serde_json::Value)) {
        let record = &self.sandbox.records()[0];
        let mut value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
        change(&mut value);
        fs::write(record, value.to_string()).unwrap();
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let processes = [self.server, self.sandbox.child()];
        for pid in processes {
            if is_alive(pid) {
                signal(pid, Signal::KILL);
            }
        }
        eventually(|| !processes.into_iter().any(is_alive));
        for cgroup in &self.cgroups {
            eventually(|| fs::remove_dir(cgroup).is_ok() || !cgroup.exists());
        }
    }
}

#[test]
fn server_of_a_killed_owner_is_stopped_with_its_children() {
    let orphan = Orphan::new();
    let swept = sweep(orphan.sandbox.path()).unwrap();
    assert_eq!(swept.len(), 1);
    let found = (swept[0].pid, swept[0].program.as_str());
    assert_eq!(found, (orphan.server, "python3"));
    // Its child ignores SIGTERM.
    assert_eq!(swept[0].ended, Ended::Kill);
    assert!(!is_alive(orphan.server) && !is_alive(orphan.sandbox.child()));
    assert!(orphan.sandbox.records().is_empty());
    assert_eq!(sweep(orphan.sandbox.path()).unwrap(), []);
}

/// Whether a process runs that has this folder in its command line.
fn names(folder: &Path) -> bool {
    let folder = folder.to_str().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .any(|words| String::from_utf8_lossy(&words).contains(folder))
}

#[test]
fn owner_killed_at_any_moment_of_a_start_leaves_what_a_sweep_stops() {
    for moment in 0..12 {
        let sandbox = Sandbox::new();
        let mut owner = spawn("owner", sandbox.path());
        thread::sleep(Duration::from_millis(3 * moment));
        owner.kill().unwrap();
        owner.wait().unwrap();
        sweep(sandbox.path()).unwrap();
        // A shell whose gate stayed shut ends by itself.
        eventually(|| !names(sandbox.path()));
    }
}

#[test]
fn child_of_a_server_that_ended_is_still_found() {
    let orphan = Orphan::new();
    signal(orphan.server, Signal::KILL);
    eventually(|| !is_alive(orphan.server));
    assert_eq!(sweep(orphan.sandbox.path()).unwrap().len(), 1);
    assert!(!is_alive(orphan.sandbox.child()));
}

#[test]
fn process_that_got_the_number_of_a_server_is_left_alone() {
    let orphan = Orphan::new();
    orphan.rewrite(|record| record["leader"]["started"] = 1.into());
    assert_eq!(sweep(orphan.sandbox.path()).unwrap(), []);
    assert!(is_alive(orphan.server) && is_alive(orphan.sandbox.child()));
    assert!(orphan.sandbox.records().is_empty());
}

#[test]
fn record_of_an_earlier_boot_is_forgotten() {
    let orphan = Orphan::new();
    orphan.rewrite(|record| record["boot"] = "an earlier one".into());
    assert_eq!(sweep(orphan.sandbox.path()).unwrap(), []);
    assert!(is_alive(orphan.server) && orphan.sandbox.records().is_empty());
}

#[test]
fn server_of_another_pid_namespace_is_left_to_it() {
    let orphan = Orphan::new();
    orphan.rewrite(|record| record["namespace"] = "pid:[1]".into());
    assert_eq!(sweep(orphan.sandbox.path()).unwrap(), []);
    assert!(is_alive(orphan.server) && orphan.sandbox.records().len() == 1);
}

#[test]
fn server_of_a_living_owner_is_left_alone() {
    let sandbox = Sandbox::new();
    let running = sandbox.start(&[]).unwrap();
    assert_eq!(sweep(sandbox.path()).unwrap(), []);
    assert_eq!(running.health(), Health::Ready);
    assert_eq!(sandbox.records().len(), 1);
}

#[test]
fn owner_whose_number_was_given_away_counts_as_gone() {
    let sandbox = Sandbox::new();
    let running = sandbox.start(&[]).unwrap();
    let record = sandbox.records().remove(0);
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    value["owner"]["started"] = 1.into();
    fs::write(record, value.to_string()).unwrap();
    assert_eq!(sweep(sandbox.path()).unwrap()[0].pid, running.pid());
    assert!(running.exited().is_some());
}

#[test]
fn file_that_is_no_record_is_removed() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path().join("servers")).unwrap();
    fs::write(sandbox.path().join("servers/1.json"), "{").unwrap();
    assert_eq!(sweep(sandbox.path()).unwrap(), []);
    assert!(sandbox.records().is_empty());
    assert_eq!(sweep(&sandbox.path().join("absent")).unwrap(), []);
}

#[test]
fn own_servers_are_killed_at_once() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&[&sandbox.child_word()]);
    plan.stop_grace_s = 60.0;
    let running = sandbox.run(plan).unwrap();
    kill_own(sandbox.path());
    assert!(!is_alive(running.pid()) && !is_alive(sandbox.child()));
    assert_eq!(running.stop().ended, Ended::Before);
}

#[test]
fn owner_that_unwinds_leaves_nothing() {
    let sandbox = Sandbox::new();
    let mut owner = process("owner_that_exits_at_once", sandbox.path());
    assert!(owner.wait().unwrap().success());
    let server = fs::read_to_string(sandbox.path().join("server")).unwrap();
    assert!(!is_alive(server.parse().unwrap()) && !is_alive(sandbox.child()));
    assert!(sandbox.records().is_empty());
}

#[test]
fn lock_is_held_against_another_process_until_that_ends() {
    let sandbox = Sandbox::new();
    let mut holder = process("lock_holder", sandbox.path());
    let heard = RefCell::new(Vec::new());
    // The wait ends the holder: without it the lock would never come.
    let number = holder.id();
    let on_wait = |who: &str| {
        heard.borrow_mut().push(who.to_owned());
        signal(number, Signal::KILL);
    };
    let lock = MachineLock::acquire(sandbox.path(), "gpu-0", on_wait, &|| false).unwrap();
    assert!(lock.is_some());
    assert_eq!(heard.into_inner(), [format!("process {number}")]);
    holder.wait().unwrap();
}

#[test]
fn wait_for_a_lock_can_be_cancelled_and_other_locks_are_free() {
    let sandbox = Sandbox::new();
    let acquire = |name, cancelled: bool| {
        MachineLock::acquire(sandbox.path(), name, |_| (), &|| cancelled).unwrap()
    };
    let held = acquire("cpu", false).unwrap();
    assert!(acquire("cpu", true).is_none());
    assert!(acquire("port-8000", false).is_some());
    drop(held);
    assert!(acquire("cpu", true).is_some());
}

#[test]
fn lock_has_a_plain_name() {
    let sandbox = Sandbox::new();
    for name in ["", "../x", "a/b"] {
        assert!(
            MachineLock::acquire(sandbox.path(), name, |_| (), &|| false).is_err(),
            "{name}"
        );
    }
}
