//! Real servers, from workload to decision: llama-server where `tests/install/llama` put it, and
//! the simulated one, which must be read back as it is.

mod quality;

use std::time::Duration;

use serde_json::Value;

use crate::decision::small_decision;
use crate::measure::Served;
use crate::sandbox::{Outcome, Sandbox};

/// The whole decision on a real llama-server, as small as it can be.
const SMALL: &[&str] = &[
    "run",
    "pipelines/real_llamacpp.toml",
    "--set",
    "params.requests=10",
    "--set",
    "params.warmup_requests=2",
    "--set",
    "params.budget=3",
    "--set",
    "params.population=3",
    "--set",
    "params.finalists=1",
    // the answers have tests of their own
    "--set",
    "params.quality_gate=false",
];

/// Trials that ended, each with its key and whether it was known already.
fn trials(sandbox: &Sandbox) -> Vec<(String, bool)> {
    let events = sandbox.events();
    let done = events.iter().filter(|event| event["event"] == "trial_done");
    done.map(|event| {
        let key = event["key"].as_str().unwrap().to_owned();
        (key, event["memo"].as_bool().unwrap())
    })
    .collect()
}

#[test]
fn killed_decision_on_a_real_server_goes_on_without_measuring_again() {
    if !quality::siblings() {
        return;
    }
    let sandbox = small_decision();
    let mut killed = sandbox.start(SMALL);
    while trials(&sandbox).len() < 2 {
        assert!(killed.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(Duration::from_millis(100));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();

    let outcome = sandbox.run(SMALL);
    // 3: a gate may say no, on so few requests.
    assert!(matches!(outcome.code, Some(0 | 3)), "{outcome}");
    let mut measured: Vec<String> = trials(&sandbox)
        .into_iter()
        .filter(|(_, memo)| !memo)
        .map(|(key, _)| key)
        .collect();
    let all = measured.len();
    measured.sort();
    measured.dedup();
    assert_eq!(measured.len(), all, "a trial was measured twice");

    let reports = sandbox.read("results/real_llamacpp/report.html");
    assert!(reports.contains("MEASURED"));
    let finalists = sandbox.table("real_llamacpp:stability.trials");
    assert!(finalists.iter().all(|trial| {
        trial["provenance"] == "measured" && trial["rss_peak_mb"].as_f64() > Some(50.0)
    }));
    let telemetry = sandbox.table("real_llamacpp:stability.telemetry");
    assert!(
        telemetry
            .iter()
            .any(|sample| sample["running"].as_f64() > Some(0.0))
    );
    // On the clock of the requests: sampling begins a moment before the first send.
    let starts = telemetry
        .iter()
        .map(|sample| sample["time_s"].as_f64().unwrap());
    let start = starts.fold(f64::INFINITY, f64::min);
    assert!((-2.0..=0.0).contains(&start), "{start}");
    let fidelity = sandbox.table("real_llamacpp:predicted.fidelity");
    let compared = fidelity.iter().filter(|row| !row["error"].is_null());
    assert!(compared.count() > 10, "{fidelity:?}");
    let verdicts = sandbox.table("real_llamacpp:predicted.verdicts");
    assert_eq!(verdicts[0]["check"], "ranking");
    let again = sandbox.run(SMALL);
    assert!(
        again.stdout.contains("nothing to do") || again.stderr.contains("nothing to do"),
        "{again}"
    );
}

/// The client must read the simulator's own figures back from `sbt serve`.
#[test]
fn simulated_server_is_read_back_as_the_simulator_has_it() {
    let sandbox = small_decision();
    let served = Served::start(&sandbox, &["--model", "llama-3.1-8b", "--gpu", "l40s"]);
    let pipeline = format!(
        r#"
name = "calibration"
[params.simulated]
kind = "simulator"
server = "vllm"
model = "llama-3.1-8b"
gpu = "l40s"
gpus = 1
[stages.workload]
uses = "workload"
[stages.workload.with]
requests = 60
draws = 1
profile = {{ category = "chat", arrival = {{ kind = "poisson", rps = 6.0 }}, prompt_tokens = {{ kind = "uniform", min = 200.0, max = 1200.0 }}, output_tokens = {{ kind = "fixed", value = 24.0 }} }}
[stages.said]
uses = "trials"
inputs = {{ workload = "workload" }}
with = {{ backend = "${{params.simulated}}", configs = [{{ name = "baseline" }}], protocol = {{ warmup_requests = 4 }} }}
[stages.compared]
uses = "validate"
inputs = {{ workload = "workload", candidates = "said.candidates" }}
[stages.compared.with]
simulated = "${{params.simulated}}"
measured = {{ kind = "endpoint", server = "vllm", url = "{}", model = "llama-3.1-8b" }}
protocol = {{ warmup_requests = 4 }}
"#,
        served.url
    );
    sandbox.write("calibration.toml", &pipeline);
    let outcome: Outcome = sandbox.run(&["run", "calibration.toml"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let trials = sandbox.table("calibration:compared.trials");
    let of = |provenance: &str| {
        let found = trials
            .iter()
            .find(|trial| trial["provenance"] == provenance);
        found.unwrap()
    };
    let (simulated, measured) = (of("simulated"), of("measured"));
    assert_eq!(measured["n_ok"], simulated["n_ok"], "{measured}");
    // Medians: on a busy machine the rest tells of the machine.
    for (metric, slack_s) in [
        ("ttft_p50_s", 0.02),
        ("tpot_p50_s", 0.003),
        ("e2e_p50_s", 0.06),
    ] {
        let value = |trial: &Value| trial[metric].as_f64().unwrap();
        let (said, read) = (value(simulated), value(measured));
        assert!(
            (read - said).abs() <= slack_s,
            "{metric}: simulated {said}, read back {read}"
        );
    }
    let version = measured["server_version"].as_str().unwrap();
    assert!(version.contains("simulated"), "{version}");
}
