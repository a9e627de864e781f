//! Measuring an endpoint: `pipelines/measure.toml` against `sbt serve`, whose truth is known.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::decision::small_decision;
use crate::sandbox::{Outcome, Sandbox};

/// A simulated server that ends with the test.
pub(crate) struct Served {
    child: Child,
    pub(crate) url: String,
}

impl Served {
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut words = vec!["serve", "--port", "0", "--json"];
        words.extend(arguments);
        let mut command: Command = sandbox.command(&words);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap();
        let url = started["url"].as_str().unwrap().to_owned();
        Self { child, url }
    }
}

impl Served {
    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `measure.toml` on a server, with further `--set`s.
fn measure(sandbox: &Sandbox, url: &str, sets: &[&str]) -> Outcome {
    let url = format!("params.url={url}");
    let mut words = vec!["run", "pipelines/measure.toml", "--set", &url];
    words.extend(["--set", "params.model=llama-3.1-8b"]);
    for set in sets {
        words.extend(["--set", set]);
    }
    sandbox.run(&words)
}

/// Closed loop, so that the run is short: 4 users, 40 requests of 8 tokens.
const SHORT: &[&str] = &[
    "params.requests=40",
    "params.concurrency=4",
    "params.input_tokens=40",
    "params.output_tokens=8",
];
const FIXED: &[&str] = &["--fixed", "0.03,0.003"];

#[test]
fn healthy_endpoint_is_measured_and_reported() {
    let sandbox = small_decision();
    let served = Served::start(&sandbox, FIXED);
    let outcome = measure(&sandbox, &served.url, SHORT);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let trial = &sandbox.table("measure:measure.trials")[0];
    assert_eq!((&trial["n"], &trial["n_ok"]), (&40.into(), &40.into()));
    assert_eq!(trial["provenance"], "measured");
    assert_eq!(trial["statuses"], "ok 40");
    let ttft = trial["ttft_ok_p50_s"].as_f64().unwrap();
    assert!((0.03..0.3).contains(&ttft), "{ttft}");
    let tpot = trial["tpot_ok_p50_s"].as_f64().unwrap();
    assert!((0.002..0.03).contains(&tpot), "{tpot}");
    let requests = sandbox.table("measure:measure.requests");
    assert_eq!(requests.len(), 40);
    for request in &requests {
        assert_eq!(request["output_tokens"], 8);
        assert_eq!(request["prompt_tokens"], 40);
        assert_eq!(request["itl_s"].as_array().unwrap().len(), 7);
    }
    assert!(
        sandbox
            .read("results/measure/report.html")
            .contains("MEASURED")
    );
}

#[test]
fn refresh_measures_again_and_nothing_else_does() {
    let sandbox = small_decision();
    let served = Served::start(&sandbox, FIXED);
    let started = || sandbox.table("measure:measure.trials")[0]["started_at"].clone();
    measure(&sandbox, &served.url, SHORT);
    let first = started();
    measure(&sandbox, &served.url, SHORT);
    assert_eq!(started(), first);
    let url = format!("params.url={}", served.url);
    let mut words = vec!["run", "pipelines/measure.toml", "--refresh", "measure"];
    let sets = [url.as_str(), "params.model=llama-3.1-8b"];
    for set in sets.iter().chain(SHORT) {
        words.extend(["--set", set]);
    }
    sandbox.ok(&words);
    assert_ne!(started(), first);
}

#[test]
fn load_goes_on_over_two_threads_until_the_last_counted_request_has_ended() {
    let sandbox = small_decision();
    let served = Served::start(&sandbox, &["--fixed", "0.4,0.003"]);
    let sets = [
        "params.requests=30",
        "params.rate=40.0",
        "params.input_tokens=40",
        "params.output_tokens=8",
        "params.client.keep_load=true",
        "params.client.shards=2",
        "params.client.connections=fresh",
    ];
    let outcome = measure(&sandbox, &served.url, &sets);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(sandbox.table("measure:measure.trials")[0]["n"], 30);
    let requests = sandbox.table("measure:measure.requests");
    let (counted, others): (Vec<_>, Vec<_>) =
        requests.iter().partition(|r| r["phase"] == "measure");
    assert_eq!(counted.len(), 30);
    assert!(!others.is_empty() && others.iter().all(|r| r["phase"] == "drain"));
    assert!(others.iter().all(|r| r["request_id"].as_u64() >= Some(30)));
    for shard in [0, 1] {
        assert!(counted.iter().any(|r| r["shard"] == shard));
    }
    assert!(counted.iter().all(|r| r["conn_reused"] == false));
}

#[test]
fn server_that_stands_still_ends_the_trial_with_the_evidence() {
    let sandbox = small_decision();
    let truth = sandbox.path("truth.jsonl");
    let arguments = [FIXED, &["--truth", truth.to_str().unwrap()]].concat();
    let served = Served::start(&sandbox, &arguments);
    let url = format!("params.url={}", served.url);
    let mut words = vec!["run", "pipelines/measure.toml", "--set", &url];
    words.extend(["--set", "params.model=llama-3.1-8b"]);
    words.extend(["--set", "params.client.hung_after_s=1.0"]);
    for set in [SHORT, &["params.requests=20000"]].concat() {
        words.extend(["--set", set]);
    }
    let mut run = sandbox.start(&words);
    while fs::read_to_string(&truth)
        .unwrap_or_default()
        .lines()
        .count()
        < 30
    {
        assert!(run.try_wait().unwrap().is_none(), "it ended too early");
        thread::sleep(Duration::from_millis(20));
    }
    kill_process(served.pid(), Signal::STOP).unwrap();
    run.wait().unwrap();
    let trial = &sandbox.table("measure:measure.trials")[0];
    assert_eq!(trial["outcome"], "hung", "{trial:#}");
    let reason = trial["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("nothing came on any request"),
        "{reason}"
    );
    assert!(reason.contains("/v1/models gave no answer"), "{reason}");
}

/// Each fault with the class that its requests must get.
const FAULTS: &[(&str, &str)] = &[
    ("http_503", "http_5xx"),
    ("http_500", "http_5xx"),
    ("http_429", "http_429"),
    ("http_400", "http_4xx"),
    ("unauthorized", "http_4xx"),
    ("context_overflow", "context_overflow"),
    ("error_first", "sse_error"),
    ("error_after", "sse_error"),
    ("error_json", "sse_error"),
    ("garbage", "sse_garbage"),
    ("bad_utf8", "sse_garbage"),
    ("no_terminator", "no_terminator"),
    ("only_done", "empty"),
    ("empty", "empty"),
    ("cut", "stream_cut"),
    ("reset", "conn_reset"),
    ("short", "ok_short"),
    ("no_done", "ok"),
    ("no_usage", "ok"),
    ("role_early", "ok"),
    ("chunked4", "ok"),
    ("wrong_usage", "ok"),
    ("hang_first", "timeout_ttft"),
    ("hang_headers", "timeout_ttft"),
    ("slow_comments", "timeout_ttft"),
    ("hang", "timeout_idle"),
    ("cut_headers", "stream_cut"),
    ("slow", "ok"),
];

#[test]
fn every_fault_has_its_class_and_moves_no_percentile() {
    // Mostly waits: some at a time.
    for some in FAULTS.chunks(8) {
        thread::scope(|scope| {
            for (fault, class) in some {
                scope.spawn(move || check_fault(fault, class));
            }
        });
    }
}

fn check_fault(fault: &str, class: &str) {
    let sandbox = small_decision();
    let rate = format!("{fault}=0.1");
    let served = Served::start(&sandbox, &[FIXED, &["--fault", &rate]].concat());
    let limits = [
        "params.client.ttft_timeout_s=2.0",
        "params.client.idle_timeout_s=2.0",
    ];
    let outcome = measure(&sandbox, &served.url, &[SHORT, &limits].concat());
    assert_eq!(outcome.code, Some(0), "{fault}: {outcome}");
    let requests = sandbox.table("measure:measure.requests");
    let hit = requests.iter().filter(|r| r["status"] != "ok");
    let hit: Vec<&Value> = hit.collect();
    if class == "ok" {
        assert!(hit.is_empty(), "{fault}: {:?}", hit[0]);
        return;
    }
    assert!((1..=12).contains(&hit.len()), "{fault}: {}", hit.len());
    for request in &hit {
        assert_eq!(request["status"], class, "{fault}: {request}");
        assert!(
            request["e2e_s"].is_null() || class == "ok_short",
            "{fault}: {request}"
        );
    }
    let trial = &sandbox.table("measure:measure.trials")[0];
    let ttft = trial["ttft_ok_p99_s"].as_f64().unwrap();
    assert!((0.03..1.0).contains(&ttft), "{fault}: {ttft}");
}

#[test]
fn endpoint_that_never_answers_well_fails_the_run() {
    let sandbox = small_decision();
    let dead = measure(&sandbox, "http://127.0.0.1:9/v1", SHORT);
    assert_eq!(dead.code, Some(1), "{dead}");
    assert!(dead.stderr.contains("connect_refused"), "{dead}");
    let served = Served::start(&sandbox, &[FIXED, &["--fault", "error_after=1.0"]].concat());
    let broken = measure(&sandbox, &served.url, SHORT);
    assert_eq!(broken.code, Some(1), "{broken}");
    assert!(broken.stderr.contains("sse_error"), "{broken}");
}

#[test]
fn missing_address_is_an_error_of_the_pipeline() {
    let sandbox = small_decision();
    let outcome = sandbox.run(&["run", "pipelines/measure.toml"]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("params.url="), "{outcome}");
}
