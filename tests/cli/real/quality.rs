//! Answers of real servers, and what is made of them.

use std::time::Duration;

use serde_json::Value;

use crate::catalogue::llama;
use crate::decision::small_decision;
use crate::measure::Served;
use crate::sandbox::Sandbox;

const QUALITY: &[&str] = &["run", "pipelines/quality_llamacpp.toml"];

/// Whether `tests/install/llama` put the server here, with its model in several quantisations.
pub(super) fn siblings() -> bool {
    let there = |name: &str| std::env::var_os(name).is_some();
    let found = there("SBT_LLAMA_MODEL_Q8_0") && there("SBT_LLAMA_MODEL_Q4_0");
    if !found {
        println!("skipped: SBT_LLAMA_MODEL_Q8_0 or SBT_LLAMA_MODEL_Q4_0 is not set");
    }
    found && llama().is_some()
}

/// Verdicts by check.
fn verdicts(sandbox: &Sandbox, stage: &str) -> Vec<(String, String)> {
    let rows = sandbox.table(&format!("quality_llamacpp:{stage}.verdicts"));
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = rows.iter();
    rows.map(|row| (word(row, "check"), word(row, "verdict")))
        .collect()
}

#[test]
fn four_bit_weights_are_caught_and_an_eight_bit_cache_is_not() {
    if !siblings() {
        return;
    }
    let sandbox = small_decision();
    let outcome = sandbox.run(QUALITY);
    assert_eq!(outcome.code, Some(3), "{outcome}");
    for stage in ["weights", "kv_cache"] {
        let found = verdicts(&sandbox, stage);
        let a_a: Vec<_> = found.iter().filter(|(c, _)| c.starts_with("a_a")).collect();
        assert_eq!(a_a.len(), 6, "{found:?}");
        assert!(a_a.iter().all(|(_, verdict)| verdict == "pass"), "{a_a:?}");
        let fails = found.iter().any(|(_, verdict)| verdict == "fail");
        assert_eq!(fails, stage == "weights", "{found:?}");
    }
    let rows = sandbox.table("quality_llamacpp:weights.quality");
    let overall: Vec<&Value> = rows.iter().filter(|r| r["family"] == "overall").collect();
    assert_eq!(overall.len(), 2);
    for row in &rows {
        assert_eq!(row["provenance"], "measured");
        let is_reference = row["variant"] == "{}";
        assert_eq!(row["n"].is_null(), is_reference, "{row}");
        assert!(is_reference || row["kl_mean"].as_f64() > Some(0.0), "{row}");
    }
    let items = sandbox.table("quality_llamacpp:weights.quality_items");
    let of = |run: &str| items.iter().filter(|item| item["run"] == run).count();
    assert!(of("reference") > 150);
    assert_eq!(of("reference"), of("a_a"));
    let programs = items.iter().filter(|item| item["family"] == "code");
    let not_run = programs.filter(|item| item["score"].is_null()).count();
    if not_run > 0 {
        println!("programs were not run: this machine cannot hold them");
    }
    assert!(items.iter().any(|item| item["flip"] == "lost"));
}

/// One user with short questions and answers. The time to the first token of so few is what the
/// weights make it, and a median of many holds on a busy machine.
const PROFILE: &str = r#"params.profiles.alone={ category = "chat", arrival = { kind = "closed_loop", users = 1 }, prompt_tokens = { kind = "fixed", value = 24.0 }, output_tokens = { kind = "fixed", value = 8.0 } }"#;

/// A search whose one choice is that of the weights.
fn recommended(sandbox: &Sandbox, gate: bool) -> String {
    let gate = format!("params.quality_gate={gate}");
    let sets = [
        gate.as_str(),
        PROFILE,
        "params.profile=alone",
        "params.goals.minimize=[\"ttft_p50_s\"]",
        "params.requests=40",
        "params.warmup_requests=2",
        "params.baseline.parallel=4",
        "params.budget=2",
        "params.population=2",
        "params.finalists=2",
        "params.top=1",
        "params.space.parallel.values=[4]",
        "params.space.ubatch_size.values=[512]",
        "params.space.threads.values=[2]",
        "params.space.cache_prompt.kind=\"choice\"",
        "params.space.cache_prompt.values=[true]",
    ];
    let mut words = vec!["run", "pipelines/real_llamacpp.toml"];
    words.extend(sets.iter().flat_map(|set| ["--set", set]));
    let outcome = sandbox.run(&words);
    // 3: a gate may say no, on so few requests.
    assert!(matches!(outcome.code, Some(0 | 3)), "{outcome}");
    let candidates = sandbox.table("real_llamacpp:stability.candidates");
    let first = candidates.iter().find(|row| row["recommended"] == 1);
    let first = first.unwrap_or_else(|| panic!("nothing is recommended: {candidates:?}"));
    first["config"].as_str().unwrap().to_owned()
}

#[test]
fn gate_keeps_four_bit_weights_from_being_recommended() {
    if !siblings() {
        return;
    }
    let sandbox = small_decision();
    let without = recommended(&sandbox, false);
    assert!(without.contains("Q4_0"), "{without}");
    let with = recommended(&sandbox, true);
    assert!(!with.contains("Q4_0"), "{with}");
    let searched = sandbox.table("real_llamacpp:search[sampler=random].candidates");
    let smaller = |row: &&Value| row["config"].as_str().unwrap().contains("Q4_0");
    let out = searched.iter().find(smaller).unwrap();
    assert_eq!(out["feasible"], false);
    assert!(
        out["violated"].as_str().unwrap().contains("quality gate"),
        "{out}"
    );
}

const ITEMS: usize = 24;

fn asked(sandbox: &Sandbox) -> usize {
    let truth = sandbox.read("truth.jsonl");
    truth
        .lines()
        .filter(|line| line.contains("completions"))
        .count()
}

fn pipeline(url: &str, margin: f64) -> String {
    format!(
        r#"
name = "asked"
[stages.quality]
uses = "quality"
[stages.quality.with]
backend = {{ kind = "endpoint", url = "{url}", model = "llama-3.1-8b" }}
suites = [{{ shipped = "qa", sample = {ITEMS} }}]
concurrency = 2
margins = {{ qa = {margin} }}
"#
    )
}

#[test]
fn killed_stage_asks_for_the_rest_and_nothing_twice() {
    let sandbox = Sandbox::new();
    let arguments = [
        "--model",
        "llama-3.1-8b",
        "--gpu",
        "l40s",
        "--truth",
        "truth.jsonl",
    ];
    let served = Served::start(&sandbox, &arguments);
    sandbox.write("asked.toml", &pipeline(&served.url, 0.1));
    let mut killed = sandbox.start(&["run", "asked.toml"]);
    let begun = || sandbox.path("truth.jsonl").exists() && asked(&sandbox) >= 6;
    while !begun() {
        assert!(killed.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(Duration::from_millis(20));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();

    sandbox.ok(&["run", "asked.toml"]);
    // Two were under way, and not remembered.
    let both = 2 * ITEMS;
    let all = asked(&sandbox);
    assert!((both..=both + 2).contains(&all), "{all}");
    let rows = sandbox.table("asked:quality.quality");
    assert_eq!(rows.len(), 2, "the reference and no variant: {rows:?}");
    // Judged anew, not asked anew.
    sandbox.write("asked.toml", &pipeline(&served.url, 0.2));
    sandbox.ok(&["run", "asked.toml"]);
    assert_eq!(asked(&sandbox), all);
}
