//! Broken pipelines: every error at once, each at its place.

use serde_json::Value;

use crate::sandbox::{Sandbox, files_below, root};

const BROKEN: &str = r#"name = "broken"
colour = "red"

[params]
seed = "${params.sed}"

[stages.a]
uses = "comand"
with = { run = ["true"], outputs = {} }

[stages.b]
uses = "command"
inputs = { x = "aa" }
retrys = 2
with = { run = "true", outputs = { o = "o.txt" } }

[stages.c]
uses = "command"
inputs = { x = "d" }
with = { run = ["true"], outputs = { o = "o.txt" } }

[stages.d]
uses = "command"
inputs = { x = "c" }
timeout = "soon"
with = { run = ["true"], outputs = { o = "o.txt" } }
"#;

#[test]
fn every_error_is_told_at_once_with_its_place() {
    let sandbox = Sandbox::new();
    sandbox.write("broken.toml", BROKEN);
    let outcome = sandbox.run(&["check", "broken.toml"]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    for place in [
        "broken.toml:2:1",
        ":5:",
        ":8:8",
        ":13:",
        ":14:1",
        ":15:",
        ":25:",
    ] {
        assert!(
            outcome.stderr.contains(place),
            "nothing at {place}\n{outcome}"
        );
    }
    for advice in ["`command`", "`retries`", "seed"] {
        assert!(
            outcome.stderr.contains(advice),
            "{advice} is not suggested\n{outcome}"
        );
    }
    let json = sandbox.run(&["check", "broken.toml", "--json"]);
    assert_eq!(json.code, Some(2), "{json}");
    let diagnostics: Vec<Value> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(diagnostics.len() >= 7, "{json}");
    assert!(!sandbox.path(".sbt").exists(), "check leaves no trace");
}

#[test]
fn run_refuses_a_broken_pipeline_before_anything_runs() {
    let sandbox = Sandbox::new();
    sandbox.write("broken.toml", BROKEN);
    let outcome = sandbox.run(&["run", "broken.toml"]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(!sandbox.path("results").exists());
}

#[test]
fn cycle_is_told() {
    let sandbox = Sandbox::new();
    let text = BROKEN
        .split_once("[stages.c]")
        .unwrap()
        .1
        .replace("timeout = \"soon\"\n", "");
    sandbox.write("cycle.toml", &format!("name = \"cycle\"\n[stages.c]{text}"));
    let outcome = sandbox.run(&["check", "cycle.toml"]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("cycle"), "{outcome}");
}

#[test]
fn every_shipped_pipeline_checks() {
    for file in files_below(&root().join("pipelines")) {
        let pipeline = file
            .extension()
            .is_some_and(|extension| extension == "toml");
        if pipeline && file.parent().is_some_and(|dir| dir.ends_with("pipelines")) {
            // What measures an endpoint cannot know which.
            let endpoint = ["params.url=http://host/v1", "params.model=m"];
            let mut words = vec!["check", file.to_str().unwrap()];
            if file.ends_with("measure.toml") {
                words.extend(endpoint.iter().flat_map(|set| ["--set", set]));
            }
            // What replays a run cannot know which, either.
            let sandbox = Sandbox::new();
            sandbox.write("run/trace.jsonl", "");
            let run = ["params.run=run", "params.workload=run/trace.jsonl"];
            if file.ends_with("fidelity.toml") || file.ends_with("whatif.toml") {
                words.extend(run.iter().flat_map(|set| ["--set", set]));
            }
            // Nor can what compares two runs.
            let sides = ["params.base=run", "params.candidate=run"];
            if file.ends_with("regression.toml") {
                words.extend(sides.iter().flat_map(|set| ["--set", set]));
            }
            sandbox.ok(&words);
        }
    }
}

#[test]
fn resolved_values_name_their_layer() {
    let sandbox = crate::decision::small_decision();
    let mut command = sandbox.command(&[
        "check",
        "pipelines/agent_like.toml",
        "--resolved",
        "--profile",
        "ci",
        "--set",
        "params.seed=7",
    ]);
    command.env("SBT_PARAMS__TOP", "2");
    let outcome = crate::sandbox::Outcome::of(command.output().unwrap());
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let line = |name: &str| {
        let line = outcome.stdout.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name} is missing\n{outcome}"))
            .to_owned()
    };
    assert!(line("params.seed").contains('7') && line("params.seed").contains("--set"));
    assert!(line("params.top").contains("SBT_PARAMS__TOP"));
    assert!(line("params.budget").contains("profile"));
    assert!(line("params.draws").contains("decide.toml"));
    assert!(line("params.peak_rps").contains("agent_like.toml"));
}
