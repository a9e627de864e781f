//! Real processes that play servers, good and bad.

use std::cell::{Cell, RefCell};
use std::fs;
use std::net::TcpListener;

use rustix::process::Signal;
use sbt_launcher::{Ended, Exit, FailurePattern, Health, Running, StartError};
use sbt_schemas::Outcome;

use crate::fake::{Sandbox, eventually, get, is_alive, signal};

fn pattern(matches: &str, outcome: Outcome, infrastructure: bool) -> FailurePattern {
    FailurePattern {
        matches: matches.to_owned(),
        outcome,
        reason: format!("because of {matches}"),
        infrastructure,
        consequence: false,
    }
}

#[test]
fn server_is_ready_once_it_answers_with_200_and_stops_at_sigterm() {
    let sandbox = Sandbox::new();
    let running = sandbox.start(&["delay=0.3", "loading=2"]).unwrap();
    assert_eq!(running.health(), Health::Ready);
    assert_eq!(running.exited(), None);
    assert!(running.base_url().starts_with("http://127.0.0.1:"));
    let pid = running.pid();
    let stopped = running.stop();
    assert_eq!(stopped.ended, Ended::Term);
    assert!(!is_alive(pid) && sandbox.records().is_empty());
}

#[test]
fn start_tells_how_long_it_waits_and_what_the_server_says() {
    let sandbox = Sandbox::new();
    let heard = RefCell::new(Vec::new());
    let plan = sandbox.plan(&["say=loading weights", "delay=2.5"]);
    let note = |progress: &sbt_launcher::Progress| heard.borrow_mut().push(progress.clone());
    Running::start(plan, sandbox.path(), &|| false, &note).unwrap();
    let heard = heard.into_inner();
    assert!(heard.is_sorted_by(|a, b| a.waited_s < b.waited_s) && heard[0].waited_s >= 1.0);
    assert!(
        heard.iter().any(|p| p.last_line == "loading weights"),
        "{heard:?}"
    );
}

#[test]
fn server_that_dies_at_the_start_gives_the_line_that_says_why() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&["say=error: no such flag --x", "exit=2"]);
    plan.failures = vec![
        pattern("not in the log", Outcome::Oom, false),
        pattern("no such flag", Outcome::LaunchFailed, false),
    ];
    let failure = sandbox.refused(plan);
    assert_eq!(failure.outcome, Outcome::LaunchFailed);
    assert_eq!(
        failure.reason,
        "because of no such flag: error: no such flag --x"
    );
    assert_eq!(failure.log_tail, "error: no such flag --x");
    assert!(!failure.infrastructure && sandbox.records().is_empty());
}

#[test]
fn server_that_dies_for_no_known_reason_gives_its_code() {
    let sandbox = Sandbox::new();
    let failure = sandbox.refused(sandbox.plan(&["say=hm", "exit=7"]));
    assert_eq!(failure.outcome, Outcome::LaunchFailed);
    assert_eq!(
        failure.reason,
        "`python3` ended with code 7 before it was ready"
    );
    assert_eq!(failure.log_tail, "hm");
}

#[test]
fn server_without_memory_is_out_of_memory() {
    let sandbox = Sandbox::new();
    let plan = sandbox.plan(&["say=mmap: Cannot allocate memory", "exit=1"]);
    let failure = sandbox.refused(plan);
    assert_eq!(failure.outcome, Outcome::Oom);
    assert_eq!(
        failure.reason,
        "the machine ran out of memory: mmap: Cannot allocate memory"
    );
}

#[test]
fn program_that_is_not_there_is_a_failed_launch() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&[]);
    plan.argv[0] = "no-such-server".to_owned();
    let failure = sandbox.refused(plan);
    assert_eq!(failure.outcome, Outcome::LaunchFailed);
    let reason = &failure.reason;
    assert!(
        reason.starts_with("`no-such-server` cannot be started: "),
        "{reason}"
    );
    assert!(reason.contains("not found"), "{reason}");
    assert!(failure.infrastructure, "no configuration is to blame");
}

#[test]
fn server_that_is_never_ready_hangs_and_is_stopped() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&["never"]);
    plan.start_timeout_s = 1.5;
    let failure = sandbox.refused(plan);
    assert_eq!(failure.outcome, Outcome::Hung);
    let reason = &failure.reason;
    assert!(
        reason.starts_with("`python3` was not ready within 1.5 s: /health "),
        "{reason}"
    );
    assert_eq!(failure.log_tail, "still loading");
    assert!(sandbox.records().is_empty());
}

#[test]
fn busy_port_is_found_before_the_start() {
    let sandbox = Sandbox::new();
    let plan = sandbox.plan(&[]);
    let _other = TcpListener::bind(("127.0.0.1", plan.port)).unwrap();
    let log = plan.log.clone();
    let failure = sandbox.refused(plan);
    assert!(failure.infrastructure && failure.reason.contains("cannot be listened on"));
    assert!(!log.exists());
}

#[test]
fn port_that_the_server_finds_busy_is_the_infrastructures_fault() {
    let sandbox = Sandbox::new();
    let plan = sandbox.plan(&["say=OSError: [Errno 98] Address already in use", "exit=1"]);
    let failure = sandbox.refused(plan);
    assert!(failure.infrastructure && failure.reason.starts_with("the port is in use: OSError"));
}

#[test]
fn log_that_cannot_be_made_is_the_infrastructures_fault() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&[]);
    fs::write(sandbox.path().join("file"), "").unwrap();
    plan.log = sandbox.path().join("file/server.log");
    let failure = sandbox.refused(plan);
    assert!(failure.infrastructure && sandbox.records().is_empty());
}

#[test]
fn server_that_cannot_be_written_down_does_not_run() {
    let sandbox = Sandbox::new();
    let plan = sandbox.plan(&["say=it runs"]);
    let (state_dir, log) = (sandbox.path().join("file"), plan.log.clone());
    fs::write(&state_dir, "").unwrap();
    let started = Running::start(plan, &state_dir, &|| false, &|_| {});
    let Err(StartError::Failed(failure)) = started else {
        panic!("it started");
    };
    assert!(failure.infrastructure, "{failure}");
    assert_eq!(fs::read_to_string(log).unwrap(), "");
}

#[test]
fn log_on_a_full_disk_is_the_infrastructures_fault_and_blocks_nobody() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&["flood=100000", "exit=1"]);
    plan.log = "/dev/full".into();
    let failure = sandbox.refused(plan);
    assert!(failure.infrastructure && failure.reason.contains("the log cannot be written"));
}

#[test]
fn cancelled_start_leaves_nothing() {
    let sandbox = Sandbox::new();
    let asked = Cell::new(0);
    let cancelled = || {
        asked.set(asked.get() + 1);
        asked.get() > 20
    };
    let plan = sandbox.plan(&["never"]);
    let started = Running::start(plan, sandbox.path(), &cancelled, &|_| {});
    assert_eq!(started.err(), Some(StartError::Cancelled));
    assert!(sandbox.records().is_empty());
}

#[test]
fn server_that_ignores_sigterm_is_killed() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&["ignore_term"]);
    plan.stop_grace_s = 0.3;
    let running = sandbox.run(plan).unwrap();
    let pid = running.pid();
    assert_eq!(running.stop().ended, Ended::Kill);
    assert!(!is_alive(pid));
}

#[test]
fn child_that_outlives_its_server_is_stopped_too() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&[&sandbox.child_word(), "last_words=bye"]);
    plan.stop_grace_s = 0.3;
    let mut running = sandbox.run(plan).unwrap();
    let child = sandbox.child();
    get(&running, "/die");
    eventually(|| running.exited() == Some(Exit::Code(3)));
    assert!(is_alive(child));
    let failure = running.diagnose().unwrap();
    assert_eq!(failure.outcome, Outcome::Crashed);
    assert_eq!(failure.reason, "`python3` ended with code 3");
    assert!(failure.log_tail.ends_with("bye"));
    assert!(!is_alive(child));
    assert_eq!(running.diagnose(), Some(failure));
    assert_eq!(running.exited(), Some(Exit::Code(3)));
    assert_eq!(running.stop().ended, Ended::Kill);
}

#[test]
fn line_of_a_failed_launch_in_a_server_that_had_served_is_a_crash() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&["last_words=model is broken"]);
    plan.failures = vec![pattern("model is broken", Outcome::LaunchFailed, false)];
    let mut running = sandbox.run(plan).unwrap();
    get(&running, "/die");
    eventually(|| running.exited().is_some());
    let failure = running.diagnose().unwrap();
    assert_eq!(failure.outcome, Outcome::Crashed);
    assert_eq!(
        failure.reason,
        "because of model is broken: model is broken"
    );
}

#[test]
fn killed_server_crashed_by_that_signal() {
    let sandbox = Sandbox::new();
    let mut running = sandbox.start(&[]).unwrap();
    signal(running.pid(), Signal::KILL);
    eventually(|| running.exited() == Some(Exit::Signal(9)));
    let failure = running.diagnose().unwrap();
    assert_eq!(failure.outcome, Outcome::Crashed);
    assert_eq!(failure.reason, "`python3` was ended by signal 9");
}

#[test]
fn server_that_serves_has_no_diagnosis() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.start(&[]).unwrap().diagnose(), None);
}

#[test]
fn server_that_turns_away_its_health_check_crashed() {
    let sandbox = Sandbox::new();
    let mut running = sandbox.start(&[]).unwrap();
    get(&running, "/break");
    let failure = running.diagnose().unwrap();
    assert_eq!(failure.outcome, Outcome::Crashed);
    assert_eq!(
        failure.reason,
        "`python3` runs, but /health answers with status 503"
    );
}

#[test]
fn stopped_server_hangs_and_still_ends() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&[]);
    plan.probe_timeout_s = 0.5;
    let mut running = sandbox.run(plan).unwrap();
    let pid = running.pid();
    signal(pid, Signal::STOP);
    let failure = running.diagnose().unwrap();
    assert_eq!(failure.outcome, Outcome::Hung);
    assert_eq!(failure.reason, "`python3` is stopped by a signal");
    assert_eq!(running.stop().ended, Ended::Term);
    assert!(!is_alive(pid));
}

#[test]
fn front_that_answers_for_a_stopped_engine_hangs() {
    let sandbox = Sandbox::new();
    let mut running = sandbox.start(&[&sandbox.child_word()]).unwrap();
    signal(sandbox.child(), Signal::STOP);
    eventually(|| running.diagnose().is_some());
    assert_eq!(running.health(), Health::Ready);
    let failure = running.diagnose().unwrap();
    assert_eq!(failure.outcome, Outcome::Hung);
    assert!(
        failure.reason.ends_with("is stopped by a signal"),
        "{failure}"
    );
    let _ = running.stop();
    assert!(!is_alive(sandbox.child()));
}

#[test]
fn flood_of_output_neither_blocks_the_server_nor_fills_the_disk() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&["say=begin", "flood=300000"]);
    plan.log_limit_bytes = 100_000;
    let log = plan.log.clone();
    let running = sandbox.run(plan).unwrap();
    let _ = running.stop();
    let text = fs::read_to_string(log).unwrap();
    assert!(text.len() <= 100_000 && text.starts_with("begin\nflood 0\n"));
    assert!(text.contains(" bytes left out …") && text.trim_end().ends_with("flood 299999"));
}

#[test]
fn environment_is_the_plans() {
    let sandbox = Sandbox::new();
    let mut plan = sandbox.plan(&["environment"]);
    plan.env.insert("FAKE_KEY".to_owned(), "x".to_owned());
    let log = plan.log.clone();
    let _ = sandbox.run(plan).unwrap().stop();
    let text = fs::read_to_string(log).unwrap();
    let names = text
        .lines()
        .find_map(|line| line.strip_prefix("environment: "))
        .unwrap();
    // Python and some shells add names of their own.
    let added = ["LC_CTYPE", "OLDPWD", "PWD", "SHLVL", "_"];
    let names: Vec<&str> = names
        .split(',')
        .filter(|name| !added.contains(name))
        .collect();
    assert_eq!(names, ["FAKE_KEY", "PATH"]);
}

#[test]
fn dropped_server_leaves_nothing_even_in_a_panic() {
    let sandbox = Sandbox::new();
    let pid = Cell::new(0);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut plan = sandbox.plan(&[&sandbox.child_word()]);
        plan.stop_grace_s = 0.3;
        let running = sandbox.run(plan).unwrap();
        pid.set(running.pid());
        panic!("of the test");
    }));
    assert!(panic.is_err());
    assert!(!is_alive(pid.get()) && !is_alive(sandbox.child()));
    assert!(sandbox.records().is_empty());
}

#[test]
fn process_that_left_the_group_ends_with_the_server() {
    let sandbox = Sandbox::new();
    let daemon = format!("daemon={}", sandbox.path().join("child").display());
    let running = sandbox.start(&[&daemon]).unwrap();
    let Some(cgroup) = sandbox.cgroups().pop() else {
        println!("skipped: no control group of version 2 can be made here");
        signal(sandbox.child(), Signal::KILL);
        return;
    };
    let stopped = running.stop();
    assert_eq!(stopped.ended, Ended::Kill);
    assert!(!is_alive(sandbox.child()) && !cgroup.exists());
}
