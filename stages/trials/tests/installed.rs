//! Server files against the installed servers: `tests/install/llama` and `tests/install/vllm` say
//! where those are.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop and may say why it skips"
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use sbt_schemas::Outcome;
use sbt_trials::{Config, Place, ServerSpec};

/// The program that a variable names.
fn program(variable: &str) -> Option<PathBuf> {
    let program = std::env::var_os(variable).map(PathBuf::from);
    if program.is_none() {
        println!("skipped: {variable} is not set");
    }
    program
}

/// What a command prints, on both streams.
fn output(command: &[String]) -> String {
    let output = Command::new(&command[0])
        .args(&command[1..])
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn check(server: &str, program: PathBuf, help: &[&str], version: &str) {
    let server = ServerSpec::named(server).unwrap();
    let words = server.version_command.as_ref().unwrap();
    let printed = output(&words.command(&program));
    assert!(words.find(&printed).unwrap().contains(version), "{printed}");

    let help = [&[program.to_str().unwrap()], help].concat();
    let help = output(&help.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
    let known: Vec<&str> = help
        .split(|c: char| c.is_whitespace() || ",=[]".contains(c))
        .collect();
    let launch = server.launch.as_ref().unwrap();
    let of_launch = launch.command.iter().chain(&launch.measured);
    let of_launch = of_launch.filter(|word| word.starts_with('-'));
    let of_knobs = server.knobs.values();
    let of_knobs = of_knobs.flat_map(|knob| [Some(&knob.flag), knob.off_flag.as_ref()]);
    let of_knobs = of_knobs.flatten().filter(|flag| flag.starts_with('-'));
    for flag in of_launch.chain(of_knobs) {
        assert!(known.contains(&flag.as_str()), "{}: {flag}", server.name);
    }
}

#[test]
fn installed_llama_server_knows_every_flag_and_tells_its_version() {
    let Some(program) = program("SBT_LLAMA_SERVER") else {
        return;
    };
    check("llamacpp", program, &["--help"], "build");
}

#[test]
fn installed_vllm_knows_every_flag_and_tells_its_version() {
    let Some(program) = program("SBT_VLLM") else {
        return;
    };
    check("vllm", program, &["serve", "--help=all"], "0.32.0");
}

/// What llama-server logs when it is started with a configuration that it cannot run.
fn llama_log(model: &Path, knobs: &str, port: u16, limit: &str) -> Option<String> {
    let program = program("SBT_LLAMA_SERVER")?;
    let config = Config::from_json("test", knobs).unwrap();
    let place = Place {
        program: program.to_str(),
        host: "127.0.0.1",
        port,
        name: "small",
    };
    let server = ServerSpec::named("llamacpp").unwrap();
    let command = server.measured_command(model.to_str().unwrap(), &config, &place);
    // A server that comes up in spite of it must not run for ever.
    let shell = format!(r#"{limit} exec timeout 120 "$@""#);
    let shell = ["sh", "-c", &shell, "sh"].map(str::to_owned);
    Some(output(&[&shell[..], &command].concat()))
}

fn assert_llama_fails(log: &str, outcome: Outcome, reason: &str) {
    let server = ServerSpec::named("llamacpp").unwrap();
    let (failure, _) = server.failure(log).unwrap_or_else(|| panic!("{log}"));
    assert_eq!(
        (failure.outcome, failure.reason.as_str()),
        (outcome, reason),
        "{log}"
    );
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn llama_server_without_a_whole_model_does_not_start_and_says_which() {
    let Some(model) = program("SBT_LLAMA_MODEL") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(&model).unwrap();
    for (name, content, reason) in [
        ("absent.gguf", None, "the model file cannot be opened"),
        (
            "cut.gguf",
            Some(&whole[..whole.len() / 2]),
            "the model file is cut off",
        ),
        (
            "junk.gguf",
            Some(&b"no model at all"[..]),
            "the model file is no GGUF file",
        ),
    ] {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let log = llama_log(&path, "{}", free_port(), "").unwrap();
        assert_llama_fails(&log, Outcome::LaunchFailed, reason);
    }
}

#[test]
fn llama_server_on_a_busy_port_blames_the_port() {
    let Some(model) = program("SBT_LLAMA_MODEL") else {
        return;
    };
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let log = llama_log(&model, "{}", port, "").unwrap();
    assert_llama_fails(&log, Outcome::LaunchFailed, "the port is in use");
}

#[test]
fn llama_server_without_memory_for_its_cache_is_out_of_memory() {
    let Some(model) = program("SBT_LLAMA_MODEL") else {
        return;
    };
    let reason = "the machine ran out of memory";
    let huge = llama_log(&model, r#"{"ctx_size":10000000}"#, free_port(), "");
    assert_llama_fails(&huge.unwrap(), Outcome::Oom, reason);
    let limited = llama_log(
        &model,
        r#"{"ctx_size":65536,"parallel":1}"#,
        free_port(),
        "ulimit -v 1500000;",
    );
    assert_llama_fails(&limited.unwrap(), Outcome::Oom, reason);
}

#[test]
fn llama_server_with_a_quantised_cache_needs_flash_attention() {
    let Some(model) = program("SBT_LLAMA_MODEL") else {
        return;
    };
    let knobs = r#"{"ctx_size":1024,"flash_attn":"off","cache_type_v":"q8_0"}"#;
    let log = llama_log(&model, knobs, free_port(), "").unwrap();
    assert_llama_fails(
        &log,
        Outcome::LaunchFailed,
        "a quantised V cache needs flash attention",
    );
    let config = Config::from_json("test", knobs).unwrap();
    let server = ServerSpec::named("llamacpp").unwrap();
    assert_eq!(server.breaches(&config, &Default::default()).len(), 1);
}
