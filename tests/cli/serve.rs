//! `sbt serve`: from the command line to the bytes and back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox};

/// Starts a server and reads where it listens.
fn started(sandbox: &Sandbox, arguments: &[&str]) -> (Child, String) {
    let mut child = sandbox.start(&[&["serve", "--port", "0", "--json"], arguments].concat());
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.as_mut().unwrap());
    out.read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["simulated"], true);
    let url = line["url"].as_str().unwrap();
    let addr = url
        .strip_prefix("http://")
        .and_then(|u| u.strip_suffix("/v1"));
    (child, addr.unwrap().to_owned())
}

fn exchange(addr: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn complete(addr: &str, headers: &str) -> String {
    let body = r#"{"prompt":"one two","max_tokens":3,"stream":true}"#;
    let length = body.len();
    exchange(
        addr,
        &format!(
            "POST /v1/completions HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ),
    )
}

fn stopped(child: Child, signal: Signal) -> Outcome {
    let pid = Pid::from_child(&child);
    kill_process(pid, signal).unwrap();
    Outcome::of(child.wait_with_output().unwrap())
}

#[test]
fn simulated_server_answers_until_it_is_stopped() {
    let sandbox = Sandbox::new();
    let (child, addr) = started(&sandbox, &["--set", "max_num_seqs=8"]);
    let answer = complete(&addr, "");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("sbt-simulated"), "{answer}");
    assert!(answer.contains("data: [DONE]"), "{answer}");
    let models = exchange(
        &addr,
        "GET /v1/models HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n",
    );
    assert!(models.contains("\"id\":\"llama-3.1-8b\""), "{models}");
    let outcome = stopped(child, Signal::INT);
    assert_eq!(outcome.code, Some(130), "{outcome}");
    assert!(
        outcome.stderr.contains("SIMULATED llama-3.1-8b"),
        "{outcome}"
    );
}

#[test]
fn fixed_times_faults_key_and_truth_log_reach_the_server() {
    let sandbox = Sandbox::new();
    let arguments = [
        "serve",
        "--port",
        "0",
        "--json",
        "--fixed",
        "0.01,0.001",
        "--fault",
        "no_done=1",
        "--truth",
        "truth.jsonl",
        "--api-key-env",
        "SERVE_KEY",
    ];
    let mut command = sandbox.command(&arguments);
    command.env("SERVE_KEY", "secret");
    command.stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.as_mut().unwrap());
    out.read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let addr = line["url"].as_str().unwrap()[7..]
        .trim_end_matches("/v1")
        .to_owned();
    assert!(complete(&addr, "").starts_with("HTTP/1.1 401"));
    let answer = complete(&addr, "authorization: Bearer secret\r\n");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"finish_reason\":\"length\""), "{answer}");
    assert!(!answer.contains("[DONE]"), "{answer}");
    let outcome = stopped(child, Signal::TERM);
    assert_eq!(outcome.code, Some(143), "{outcome}");
    assert!(!outcome.stderr.contains("secret"), "{outcome}");
    let truth = sandbox.read("truth.jsonl");
    assert!(truth.contains("\"fault\":\"no_done\""), "{truth}");
    assert!(!truth.contains("secret"), "{truth}");
}

#[test]
fn crash_is_exit_code_1() {
    let sandbox = Sandbox::new();
    let (child, addr) = started(&sandbox, &["--fixed", "0,0", "--crash-after", "1"]);
    let mut stream = TcpStream::connect(addr).unwrap();
    let request =
        "POST /v1/completions HTTP/1.1\r\nhost: t\r\ncontent-length: 14\r\n\r\n{\"prompt\":\"a\"}";
    stream.write_all(request.as_bytes()).unwrap();
    let outcome = Outcome::of(child.wait_with_output().unwrap());
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("crashed"), "{outcome}");
}

#[test]
fn bad_arguments_say_what_is_wrong() {
    let sandbox = Sandbox::new();
    let cases: [(&[&str], &str); 10] = [
        (&["--model", "llama-3.1-8"], "llama-3.1-8b"),
        (&["--gpu", "h100"], "--gpu"),
        (&["--set", "max_num_seq=8"], "max_num_seqs"),
        (&["--set", "max_num_seqs"], "KNOB=VALUE"),
        (&["--gpus", "0"], "--gpus"),
        (
            &["--gpu", "l40s", "--model", "llama-3.1-70b"],
            "out of memory",
        ),
        (&["--fixed", "0.1"], "--fixed"),
        (&["--fault", "nope=0.1"], "http_503"),
        (&["--fault", "cut=2"], "0 to 1"),
        (&["--api-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY"),
    ];
    for (arguments, expected) in cases {
        let outcome = sandbox.run(&[&["serve"], arguments].concat());
        assert_eq!(outcome.code, Some(2), "{arguments:?}\n{outcome}");
        assert!(
            outcome.stderr.contains(expected),
            "{arguments:?}\n{outcome}"
        );
    }
}
