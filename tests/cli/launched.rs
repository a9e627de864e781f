//! A server that is started from a file of the user's own: `sbt serve`, which writes down what it
//! was asked.

use crate::sandbox::{Sandbox, binary};

const FILE: &str = r#"
name = "own"
version = "1"
about = "A server of the user's own."
replica_gpus = "1"
[launch]
command = ["sbt", "serve", "--gpu", "l40s", "--model", "{model}"]
measured = ["--host", "{host}", "--port", "{port}", "--truth", "truth.jsonl"]
pass = []
env = {}
start_timeout_s = 60
stop_grace_s = 5
[ready]
path = "/health"
[api]
requests = ["chat"]
tokenize = "none"
ignore_eos = true
min_tokens = true
continuous_usage = true
timings = "none"
[sizes]
max_num_seqs = { json = { path = "/v1/models", at = "/data/0/max_model_len" } }
num_gpu_blocks = { label = { metric = "no:such_metric", name = "num_gpu_blocks" } }
"#;

const REQUESTS: u64 = 6;

/// Measures some draws on one configuration, and counts the requests that the server saw; none
/// where the machine was too busy, so that another server was started.
fn asked(sandbox: &Sandbox, draws: u64) -> Option<u64> {
    let program = binary();
    let numbers: Vec<u64> = (0..draws).collect();
    let text = format!(
        r#"name = "launched"
[stages.workload]
uses = "workload"
[stages.workload.with]
requests = {REQUESTS}
draws = {draws}
profile = {{ category = "chat", arrival = {{ kind = "closed_loop", users = 2 }}, prompt_tokens = {{ kind = "fixed", value = 40.0 }}, output_tokens = {{ kind = "fixed", value = 4.0 }} }}
[stages.measure]
uses = "trials"
inputs = {{ workload = "workload" }}
[stages.measure.with]
configs = [{{ name = "case" }}]
draws = {numbers:?}
protocol = {{ warmup_requests = 0, slo = {{ ttft_p95_s = 4.0 }} }}
backend = {{ kind = "server", server = "${{file:own.toml}}", program = "{}", model = "llama-3.1-8b" }}
"#,
        program.display()
    );
    sandbox.write("own.toml", FILE);
    sandbox.write("launched.toml", &text);
    let run = sandbox.ok(&["run", "launched.toml"]);
    if run.stderr.contains("is measured again") {
        println!("skipped: the machine is too busy to measure");
        return None;
    }
    let trials = sandbox.table("launched:measure.trials");
    assert_eq!(trials.len() as u64, draws);
    for trial in &trials {
        assert_eq!(trial["n_ok"], REQUESTS, "{trial:#}");
        assert_eq!(trial["max_num_seqs"], trial["max_model_len"], "{trial:#}");
        assert!(trial["max_model_len"].as_u64() > Some(0), "{trial:#}");
        assert!(trial["num_gpu_blocks"].is_null(), "{trial:#}");
    }
    let truth = sandbox.read("truth.jsonl");
    let asked = truth.lines().filter(|line| line.contains("completions"));
    Some(asked.count() as u64)
}

#[test]
fn kept_server_is_looked_at_once_for_all_draws() {
    let both = asked(&Sandbox::new(), 1).zip(asked(&Sandbox::new(), 3));
    let Some((one, three)) = both else { return };
    assert!(one > REQUESTS, "nobody looked at the server");
    assert_eq!(three - one, 2 * REQUESTS);
}
