//! llama-server, as `tests/install/llama` left it.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::case::{Case, Installed, assert_ended, table};
use super::processes::{busy_server, free_port, get, halt, is_gone, kill, starve, wait_for};
use crate::sandbox::{Outcome, Sandbox};

const RUNNING: &str = "llamacpp:requests_processing";

pub(crate) fn llama() -> Option<Installed> {
    Installed::find("llamacpp", "SBT_LLAMA_SERVER", "SBT_LLAMA_MODEL")
}

/// Few short requests.
fn short(llama: &Installed) -> Case {
    with_context(llama, 4096)
}

fn with_context(llama: &Installed, ctx_size: u32) -> Case {
    let config = format!("parallel = 4, threads = 2, ctx_size = {ctx_size}");
    Case::new(llama, &config)
}

/// So much to generate that something can happen meanwhile.
fn long(llama: &Installed) -> Case {
    Case {
        requests: 400,
        output_tokens: 400,
        ..short(llama)
    }
}

#[test]
fn real_server_that_is_well_is_measured() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let run = short(&llama).run(&sandbox);
    assert_eq!(run.code, Some(0), "{run}");
    let trial = &table(&sandbox, "trials")[0];
    assert_eq!((&trial["n"], &trial["n_ok"]), (&8.into(), &8.into()));
    let sizes = (&trial["max_num_seqs"], &trial["max_model_len"]);
    assert_eq!(sizes, (&4.into(), &1024.into()));
    for request in table(&sandbox, "requests") {
        assert_eq!(request["output_tokens"], 8, "{request}");
    }
}

#[test]
fn real_server_with_a_wrong_flag_fails_to_launch() {
    let Some(llama) = llama() else { return };
    let case = Case {
        backend: r#"args = ["--no-such-flag"]"#.to_owned(),
        ..short(&llama)
    };
    let reason = "this version does not know a flag";
    case.ends(&Sandbox::new(), "launch_failed", reason);
}

#[test]
fn real_server_with_a_cut_off_model_fails_to_launch() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let whole = fs::read(&llama.model).unwrap();
    let model = sandbox.path("cut.gguf");
    fs::write(&model, &whole[..whole.len() / 2]).unwrap();
    let case = Case {
        model,
        ..short(&llama)
    };
    case.ends(&sandbox, "launch_failed", "the model file is cut off");
}

#[test]
fn real_server_without_memory_at_the_start_is_out_of_memory() {
    let Some(llama) = llama() else { return };
    let case = with_context(&llama, 10_000_000);
    case.ends(&Sandbox::new(), "oom", "the machine ran out of memory");
}

#[test]
fn real_server_without_memory_under_load_fails_the_trial() {
    let Some(llama) = llama() else { return };
    let case = Case {
        users: 8,
        prompt_tokens: 1500,
        requests: 400,
        output_tokens: 400,
        ..with_context(&llama, 16_384)
    };
    let sandbox = Sandbox::new();
    let trial = case.after(&sandbox, RUNNING, starve);
    let said = trial["reason"].as_str().unwrap();
    // It may abort before it has written why: then nobody can tell that from another abort.
    match trial["outcome"].as_str() {
        Some("oom") => assert!(said.contains("ran out of memory"), "{said}"),
        Some("crashed") => assert!(said.contains("signal 6"), "{said}"),
        _ => panic!("{trial:#}"),
    }
}

#[test]
fn real_server_that_is_killed_has_crashed() {
    let Some(llama) = llama() else { return };
    let trial = long(&llama).after(&Sandbox::new(), RUNNING, kill);
    assert_ended(&trial, "crashed", "signal 9");
}

#[test]
fn real_server_that_stands_still_hangs_and_is_ended() {
    let Some(llama) = llama() else { return };
    let case = Case {
        requests: 4,
        ..long(&llama)
    };
    let trial = case.after(&Sandbox::new(), RUNNING, halt);
    assert_ended(&trial, "hung", "stopped by a signal");
}

#[test]
fn real_server_that_starts_slowly_is_waited_for_until_its_time_is_up() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let mut case = short(&llama);
    case.program = llama.wrapped(&sandbox, "sleep 5");
    case.backend = "start_timeout_s = 2.0".to_owned();
    case.ends(&sandbox, "hung", "not ready within 2 s");
    case.backend = "start_timeout_s = 100.0".to_owned();
    let run = case.run(&sandbox);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(table(&sandbox, "trials")[0]["n_ok"], 8);
}

#[test]
fn real_server_without_its_model_stops_the_run_and_is_not_remembered() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let model = sandbox.path("later.gguf");
    let case = Case {
        model: model.clone(),
        ..short(&llama)
    };
    case.stops_the_run(&sandbox, "the model file cannot be opened");
    fs::copy(&llama.model, model).unwrap();
    let run = case.run(&sandbox);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn real_server_on_a_busy_port_stops_the_run_and_is_not_remembered() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let case = Case {
        backend: format!("port = {port}"),
        ..short(&llama)
    };
    case.stops_the_run(&sandbox, "in use");
    drop(busy);
    let run = case.run(&sandbox);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn prompt_beyond_the_context_of_a_real_server_has_its_own_class() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let case = Case {
        prompt_tokens: 600,
        ..with_context(&llama, 1024)
    };
    case.ends(&sandbox, "too_many_errors", "context_overflow");
    for request in table(&sandbox, "requests") {
        assert_eq!(request["status"], "context_overflow", "{request}");
    }
}

#[test]
fn wrong_key_is_refused_by_a_real_server_and_shown_nowhere() {
    const RIGHT: &str = "sk-right-0123456789";
    const WRONG: &str = "sk-wrong-0123456789";
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let port = free_port();
    let mut server = Command::new(&llama.program)
        .args(["-m", llama.model.to_str().unwrap(), "-c", "4096"])
        .args(["--parallel", "4", "--port", &port.to_string()])
        .args(["--api-key", RIGHT])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("a server that is ready", || {
        get(port, "/health")?.contains("200 OK").then_some(())
    });
    short(&llama).needs_key(&sandbox, port, (WRONG, RIGHT));
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn interrupted_run_leaves_no_server() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    long(&llama).write(&sandbox);
    let run = sandbox.start(&["run", "catalogue.toml"]);
    let server = busy_server(&run, RUNNING);
    let pid = i32::try_from(run.id()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    let run = Outcome::of(run.wait_with_output().unwrap());
    assert_ne!(run.code, Some(0), "{run}");
    assert!(is_gone(server), "{run}");
}

#[test]
fn server_of_a_killed_run_is_stopped_by_the_next() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    long(&llama).write(&sandbox);
    let mut run = sandbox.start(&["run", "catalogue.toml"]);
    let server = busy_server(&run, RUNNING);
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(!is_gone(server));
    let next = short(&llama).run(&sandbox);
    assert_eq!(next.code, Some(0), "{next}");
    assert!(
        next.stderr.contains("which a killed run left behind"),
        "{next}"
    );
    assert!(is_gone(server));
}
