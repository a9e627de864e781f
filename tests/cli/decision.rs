//! The shipped pipelines, from workload to decision.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox, data, root};

/// The whole decision at a budget that a test can afford.
pub(crate) const SMALL: &[&str] = &[
    "run",
    "pipelines/agent_like.toml",
    "--set",
    "params.requests=60",
    "--set",
    "params.protocol.warmup_requests=5",
    "--set",
    "params.budget=12",
    "--set",
    "params.population=6",
];

/// A sandbox with the shipped pipelines.
pub(crate) fn small_decision() -> Sandbox {
    let sandbox = Sandbox::new();
    let from = root().join("pipelines");
    for file in crate::sandbox::files_below(&from) {
        let relative = file.strip_prefix(root()).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        sandbox.write(&relative.display().to_string(), &text);
    }
    sandbox
}

const ARTEFACTS: &[&str] = &[
    "report.html",
    "report.md",
    "comparison.md",
    "summary.json",
    "stability.md",
    "capacity_plan.md",
    "README_snippet.md",
    "plots/pareto.svg",
    "plots/tail.svg",
    "plots/search_trace.svg",
    "deploy/vllm-serve.sh",
    "tables/stability.candidates.parquet",
    "tables/search.trace.parquet",
];

fn summary(sandbox: &Sandbox, pipeline: &str) -> Value {
    serde_json::from_str(&sandbox.read(&format!("results/{pipeline}/summary.json"))).unwrap()
}

fn assert_whole(sandbox: &Sandbox, pipeline: &str) {
    for artefact in ARTEFACTS {
        let path = format!("results/{pipeline}/{artefact}");
        let bytes = fs::read(sandbox.path(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(!bytes.is_empty(), "{path} is empty");
        if !artefact.ends_with(".parquet") {
            let text = String::from_utf8(bytes).unwrap();
            assert!(
                text.to_lowercase().contains("simulated"),
                "{path} does not say that it is simulated"
            );
            assert!(!text.contains("NaN"), "{path} holds a NaN");
        }
    }
    let cards = fs::read_dir(sandbox.path(&format!("results/{pipeline}/cards")))
        .unwrap()
        .count();
    assert!(cards >= 2, "a card is Markdown and JSON");
}

fn assert_answers(outcome: &Outcome) {
    for word in [
        "vllm serve",
        "against baseline",
        "gates",
        "report.html",
        "simulated",
    ] {
        assert!(
            outcome.stdout.contains(word),
            "`{word}` is missing\n{outcome}"
        );
    }
}

#[test]
fn agent_like_decides_and_second_run_does_nothing() {
    let sandbox = small_decision();
    let outcome = sandbox.run(SMALL);
    assert!(matches!(outcome.code, Some(0 | 3)), "{outcome}");
    assert_answers(&outcome);
    assert_whole(&sandbox, "agent_like");
    let again = sandbox.run(SMALL);
    assert_eq!(again.code, outcome.code, "{again}");
    assert!(again.stderr.contains("up to date"), "{again}");
    assert_answers(&again);
}

#[test]
fn other_profiles_decide_too() {
    for pipeline in ["short_qa", "long_gen"] {
        let sandbox = small_decision();
        let path = format!("pipelines/{pipeline}.toml");
        let mut arguments = SMALL.to_vec();
        arguments[1] = &path;
        let outcome = sandbox.run(&arguments);
        assert!(matches!(outcome.code, Some(0 | 3)), "{outcome}");
        assert_answers(&outcome);
        assert_whole(&sandbox, pipeline);
    }
}

#[test]
fn recommended_figures_are_the_remeasured_ones() {
    let sandbox = small_decision();
    sandbox.run(SMALL);
    let summary = summary(&sandbox, "agent_like");
    let name = summary["recommended"]["config_name"].as_str().unwrap();
    let condition = format!("config_name == \"{name}\" and metric == \"e2e_p95_s\"");
    let table = sandbox.ok(&[
        "table",
        "agent_like:stability.stability",
        "--where",
        &condition,
        "--format",
        "json",
    ]);
    let row: Value = serde_json::from_str(table.stdout.lines().next().unwrap()).unwrap();
    let effects = summary["effects"].as_array().unwrap();
    let effect = effects.iter().find(|e| e["metric"] == "e2e_p95_s").unwrap();
    assert_eq!(effect["recommended"], row["value"]);
    assert_eq!(effect["n_seeds"], 10);
}

#[test]
fn fresh_stores_and_other_job_counts_give_the_same_bytes() {
    let (one, two) = (small_decision(), small_decision());
    one.run(&[SMALL, &["--jobs", "1"]].concat());
    two.run(&[SMALL, &["--jobs", "4"]].concat());
    let digests = one.digests("results/agent_like");
    assert!(digests.len() > ARTEFACTS.len());
    assert_eq!(digests, two.digests("results/agent_like"));
}

#[test]
fn wider_budget_reuses_the_trials_that_are_known() {
    let sandbox = small_decision();
    sandbox.run(SMALL);
    let mut wider = SMALL.to_vec();
    let budget = wider.iter().position(|a| *a == "params.budget=12").unwrap();
    wider[budget] = "params.budget=15";
    let outcome = sandbox.run(&[&wider[..], &["--json"]].concat());
    let known = outcome
        .stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|e| e["event"] == "trial_done" && e["memo"] == true)
        .count();
    assert!(
        known >= 24,
        "12 trials of each sampler were known, not {known}"
    );
}

#[test]
fn public_traces_decide_too() {
    for trace in [
        "traces/mooncake_conversation_trace.jsonl.gz",
        "traces/azure_llm_2023_conv.csv.gz",
    ] {
        let Some(path) = data(trace) else { return };
        let sandbox = small_decision();
        let set = format!("params.trace={}", path.display());
        let outcome = sandbox.run(&[SMALL, &["--set", &set]].concat());
        assert!(matches!(outcome.code, Some(0 | 3)), "{trace}\n{outcome}");
        assert_whole(&sandbox, "agent_like");
    }
}

#[test]
fn failed_gate_exits_with_code_3() {
    let sandbox = small_decision();
    let limit = "params.limits.e2e_p95_s={ max = 0.000001 }";
    let outcome = sandbox.run(&[SMALL, &["--set", limit]].concat());
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(outcome.stdout.contains("FAIL"), "{outcome}");
    assert!(sandbox.path("results/agent_like/report.html").exists());
}

#[test]
fn impossible_constraint_recommends_nothing_and_says_what_stood_in_the_way() {
    let sandbox = small_decision();
    let goals = "params.goals.subject_to=[\"ttft_p95_s <= 0.000001\"]";
    let outcome = sandbox.run(&[SMALL, &["--set", goals]].concat());
    assert_eq!(outcome.code, Some(3), "{outcome}");
    assert!(outcome.stdout.contains("nothing"), "{outcome}");
    let report = sandbox.read("results/agent_like/report.html");
    assert!(report.contains("Nothing is recommended"));
    assert!(
        report.contains("broken by 24 of 24"),
        "names the constraint"
    );
    assert!(!sandbox.path("results/agent_like/deploy").exists());
    let summary = summary(&sandbox, "agent_like");
    assert!(summary["recommended"].is_null());
}
