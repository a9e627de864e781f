//! kill -9 at any moment, two processes on one store, a full disk, damaged objects.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::decision::{SMALL, small_decision};
use crate::sandbox::{Outcome, Sandbox, files_below};

/// Kills of one test.
const KILLS: u32 = 20;

fn results(sandbox: &Sandbox) -> BTreeMap<String, String> {
    sandbox.digests("results/agent_like")
}

#[test]
fn killed_twenty_times_resumes_to_the_same_bytes() {
    let whole = small_decision();
    whole.ok(SMALL);
    let killed = small_decision();
    for n in 0..KILLS {
        let mut child = killed
            .command(SMALL)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        // Spread over the run, with a step that meets every stage sooner or later.
        std::thread::sleep(Duration::from_millis(20 + u64::from(n * 37 % 400)));
        let group = rustix::process::Pid::from_child(&child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let status = child.wait().unwrap();
        assert!(status.signal() == Some(9) || status.success(), "{status}");
    }
    killed.ok(SMALL);
    assert_eq!(results(&whole), results(&killed));

    let mut computed = BTreeMap::<String, u32>::new();
    for event in killed.events() {
        if event["event"] == "trial_done" && event["memo"] == false {
            *computed
                .entry(event["key"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    let repeated: Vec<_> = computed.iter().filter(|(_, times)| **times > 1).collect();
    assert!(
        !computed.is_empty() && repeated.is_empty(),
        "run again: {repeated:?}"
    );
}

#[test]
fn two_processes_on_one_store_compute_each_trial_once() {
    let sandbox = small_decision();
    let one = sandbox.start(SMALL);
    let two = sandbox.start(&[SMALL, &["--out", "other"]].concat());
    for child in [one, two] {
        let outcome = Outcome::of(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, Some(0), "{outcome}");
    }
    assert_eq!(
        sandbox.digests("results/agent_like"),
        sandbox.digests("other")
    );
    let ran = sandbox
        .events()
        .iter()
        .filter(|e| e["event"] == "stage_done")
        .count();
    let stages: std::collections::BTreeSet<_> = sandbox
        .events()
        .iter()
        .filter(|e| e["event"] == "stage_done")
        .map(|e| e["stage"].to_string())
        .collect();
    assert_eq!(ran, stages.len(), "every stage ran once");
}

#[test]
fn damaged_object_is_said_and_made_again() {
    let sandbox = small_decision();
    sandbox.ok(SMALL);
    let before = results(&sandbox);
    for folder in [".sbt/cas", ".sbt/ac"] {
        for file in files_below(&sandbox.path(folder)) {
            flip_a_byte(&file);
        }
        let outcome = sandbox.ok(SMALL);
        assert!(outcome.stderr.contains("damaged"), "{folder}\n{outcome}");
        assert_eq!(before, results(&sandbox), "{folder}");
        assert!(
            sandbox
                .ok(&["cache", "verify"])
                .stdout
                .contains("0 damaged")
        );
    }
}

#[test]
fn damaged_journal_loses_only_the_damaged_trial() {
    let sandbox = small_decision();
    sandbox.ok(SMALL);
    let before = results(&sandbox);
    for file in files_below(&sandbox.path(".sbt/trials")) {
        flip_a_byte(&file);
    }
    fs::remove_dir_all(sandbox.path(".sbt/ac")).unwrap();
    sandbox.ok(SMALL);
    assert_eq!(before, results(&sandbox));
}

fn flip_a_byte(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let mut bytes = fs::read(file).unwrap();
    let Some(byte) = bytes.get_mut(0) else { return };
    *byte ^= 0x20;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(file, bytes).unwrap();
}

/// Runs the decision where no file may grow beyond `blocks` of 512 bytes.
fn with_file_limit(sandbox: &Sandbox, blocks: u32) -> Outcome {
    let sbt = sandbox.command(SMALL);
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .arg(sbt.get_program())
        .args(sbt.get_args());
    command.current_dir(sandbox.path("")).stdin(Stdio::null());
    Outcome::of(command.output().unwrap())
}

#[test]
fn file_size_limit_ends_with_code_73_and_loses_nothing() {
    let whole = small_decision();
    whole.ok(SMALL);
    let limited = small_decision();
    for blocks in [8, 16, 64] {
        let outcome = with_file_limit(&limited, blocks);
        assert!(
            matches!(outcome.code, Some(73)),
            "{blocks} blocks\n{outcome}"
        );
        assert!(
            !limited.path("results/agent_like").exists(),
            "{blocks} blocks"
        );
    }
    limited.ok(SMALL);
    assert_eq!(results(&whole), results(&limited));
}

#[test]
fn full_tmpfs_ends_with_code_73_and_loses_nothing() {
    let sandbox = small_decision();
    let store = sandbox.path("disk");
    fs::create_dir_all(&store).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&store)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        println!("skipped: this machine lets no test mount a tmpfs");
        return;
    }
    let arguments = [SMALL, &["--store", "disk/store"]].concat();
    let outcome = sandbox.run(&arguments);
    let remounted = Command::new("mount")
        .args(["-o", "remount,size=64m"])
        .arg(&store)
        .status()
        .is_ok_and(|status| status.success());
    let resumed = sandbox.run(&arguments);
    let unmounted = Command::new("umount").arg(&store).status();
    assert_eq!(outcome.code, Some(73), "{outcome}");
    assert!(outcome.stderr.contains("space"), "{outcome}");
    assert!(remounted && unmounted.is_ok_and(|status| status.success()));
    assert_eq!(resumed.code, Some(0), "{resumed}");
}

#[test]
fn interrupt_stops_cleanly_and_the_next_run_resumes() {
    let sandbox = small_decision();
    let child = sandbox.start(SMALL);
    std::thread::sleep(Duration::from_millis(150));
    let pid = rustix::process::Pid::from_child(&child);
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    let outcome = Outcome::of(child.wait_with_output().unwrap());
    if outcome.code != Some(0) {
        assert_eq!(outcome.code, Some(130), "{outcome}");
        assert!(
            outcome.stderr.contains("sbt run"),
            "says how to resume\n{outcome}"
        );
    }
    sandbox.ok(SMALL);
}

#[test]
fn newer_store_is_refused_with_code_65() {
    let sandbox = small_decision();
    sandbox.write(".sbt/FORMAT", "999\n");
    let outcome = sandbox.run(SMALL);
    assert_eq!(outcome.code, Some(65), "{outcome}");
}
