//! One run against another.

use std::fs;

use crate::sandbox::{Outcome, Sandbox, root};

/// Trials of one configuration on the simulator, fast enough to repeat.
const TRIALS: &str = r#"
name = "trials"
[params]
gpu = "h100-sxm"
seed = 1
[stages.workload]
uses = "workload"
with = { profile = { category = "qa", arrival = { kind = "poisson", rps = 8.0 }, prompt_tokens = { kind = "fixed", value = 200 }, output_tokens = { kind = "fixed", value = 50 } }, requests = 60, draws = 3, seed = "${params.seed}" }
[stages.trials]
uses = "trials"
inputs = { workload = "workload" }
[stages.trials.with]
backend = { kind = "simulator", server = "vllm", model = "llama-3.1-8b", gpu = "${params.gpu}", gpus = 1 }
configs = [{ name = "only", max_model_len = 4096 }]
draws = [0, 1, 2]
"#;

/// A sandbox with one run whose results are in `base`.
fn with_base() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("trials.toml", TRIALS);
    sandbox.ok(&["run", "trials.toml", "--out", "base"]);
    sandbox
}

fn regression(sandbox: &Sandbox, sides: [&str; 2], more: &[&str]) -> Outcome {
    let pipeline = root().join("pipelines/regression.toml");
    let pipeline = pipeline.to_str().unwrap();
    let [base, candidate] = [
        format!("params.base={}", sides[0]),
        format!("params.candidate={}", sides[1]),
    ];
    let arguments = ["run", pipeline, "--set", &base, "--set", &candidate];
    sandbox.run(&[&arguments, more].concat())
}

#[test]
fn slower_gpu_fails_the_gate_paired_by_draw() {
    let sandbox = with_base();
    let slower = ["run", "trials.toml", "--set", "params.gpu=l4"];
    sandbox.ok(&slower);
    let judged = regression(&sandbox, ["base", "last"], &["--junit", "verdicts.xml"]);
    assert_eq!(judged.code, Some(3), "{judged}");
    assert!(
        judged.stderr.contains("paired over 3 common draws"),
        "{judged}"
    );
    let xml = sandbox.read("verdicts.xml");
    assert!(
        xml.contains("<failure") && xml.contains("ttft_p95_s max_increase"),
        "{xml}"
    );
    let page = sandbox.read("results/regression/regression.md");
    assert!(page.contains("Both served the same workload"), "{page}");
}

#[test]
fn the_same_again_passes_and_another_workload_is_not_paired() {
    let sandbox = with_base();
    let same = regression(&sandbox, ["base", "base"], &[]);
    assert_eq!(same.code, Some(0), "{same}");
    let other = [
        "run",
        "trials.toml",
        "--set",
        "params.seed=2",
        "--out",
        "other",
    ];
    sandbox.ok(&other);
    let judged = regression(&sandbox, ["base", "other"], &[]);
    assert!(
        judged
            .stdout
            .contains("not paired, 3 draws against 3 draws"),
        "{judged}"
    );
}

#[test]
fn what_cannot_be_compared_says_why() {
    let sandbox = with_base();
    let absent = regression(&sandbox, ["nowhere", "base"], &[]);
    assert_eq!(absent.code, Some(2), "{absent}");
    assert!(absent.stderr.contains("no folder `nowhere`"), "{absent}");
    sandbox.write("no.json", "{}");
    let broken = regression(&sandbox, ["no.json", "base"], &[]);
    assert_eq!(broken.code, Some(1), "{broken}");
    assert!(broken.stderr.contains("no summary.json of sbt"), "{broken}");
    fs::create_dir(sandbox.path("empty")).unwrap();
    let empty = regression(&sandbox, ["empty", "base"], &[]);
    assert_eq!(empty.code, Some(1), "{empty}");
    assert!(
        empty.stderr.contains("no stage of it left trials"),
        "{empty}"
    );
    let unnamed = regression(
        &sandbox,
        ["base", "base"],
        &["--set", "params.config=other"],
    );
    assert_eq!(unnamed.code, Some(1), "{unnamed}");
    assert!(
        unnamed
            .stderr
            .contains("no trial is of a configuration `other`"),
        "{unnamed}"
    );
}
