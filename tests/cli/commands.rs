//! Each command once, as a user types it.

use serde_json::Value;

use crate::engine::diamond;
use crate::sandbox::{Outcome, Sandbox};

fn after_one_run() -> Sandbox {
    let sandbox = diamond();
    let mut command = sandbox.command(&["run", "p.toml"]);
    let outcome = Outcome::of(command.env("LOG", sandbox.path("ran")).output().unwrap());
    assert_eq!(outcome.code, Some(0), "{outcome}");
    sandbox
}

#[test]
fn help_tree_is_as_documented() {
    let sandbox = Sandbox::new();
    let mut help = sandbox.ok(&["--help"]).stdout;
    for command in [
        "run",
        "check",
        "graph",
        "status",
        "explain",
        "runs",
        "show",
        "diff",
        "table",
        "cache",
        "init",
        "stages",
        "serve",
        "doctor",
        "schema",
        "completions",
    ] {
        help.push_str(&format!("\n---- sbt {command}\n"));
        help.push_str(&sandbox.ok(&[command, "--help"]).stdout);
    }
    insta::assert_snapshot!(help);
}

#[test]
fn status_tells_what_would_run() {
    let sandbox = after_one_run();
    let status = sandbox.ok(&["status", "p.toml"]);
    assert!(status.stdout.contains("cached"), "{status}");
    let changed = sandbox.ok(&["status", "p.toml", "--set", "params.word=two", "--json"]);
    let rows: Value = serde_json::from_str(&changed.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 4, "{changed}");
}

#[test]
fn graph_draws_every_format() {
    let sandbox = diamond();
    assert!(sandbox.ok(&["graph", "p.toml"]).stdout.contains('d'));
    assert!(
        sandbox
            .ok(&["graph", "p.toml", "--format", "dot"])
            .stdout
            .starts_with("digraph")
    );
    let mermaid = sandbox
        .ok(&["graph", "p.toml", "--format", "mermaid"])
        .stdout;
    assert!(mermaid.contains("-->"), "{mermaid}");
}

#[test]
fn runs_are_listed_shown_and_compared() {
    let sandbox = after_one_run();
    let mut command = sandbox.command(&["run", "p.toml", "--set", "params.word=two"]);
    command.env("LOG", sandbox.path("ran")).output().unwrap();
    let runs = sandbox.ok(&["runs", "--json"]);
    let rows: Value = serde_json::from_str(&runs.stdout).unwrap();
    let names: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["run"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 2, "{runs}");
    assert!(sandbox.ok(&["show", "last"]).stdout.contains("diamond"));
    let diff = sandbox.ok(&["diff", &names[0], &names[1]]);
    assert!(diff.stdout.contains('a'), "{diff}");
    assert_eq!(sandbox.run(&["show", "nothing"]).code, Some(2));
}

#[test]
fn cache_is_listed_verified_and_collected() {
    let sandbox = after_one_run();
    assert!(sandbox.ok(&["cache", "ls"]).stdout.contains("diamond"));
    assert!(
        sandbox
            .ok(&["cache", "verify"])
            .stdout
            .contains("0 damaged")
    );
    sandbox.ok(&["cache", "gc", "--keep", "30d"]);
    let status = sandbox.ok(&["status", "p.toml"]);
    assert!(
        !status.stdout.contains("would run"),
        "the last run's results are kept\n{status}"
    );
}

#[test]
fn table_filters_selects_and_exports() {
    let sandbox = crate::decision::small_decision();
    sandbox.run(&["run", "pipelines/agent_like.toml", "--until", "workload"]);
    let reference = "agent_like:workload.workload";
    let csv = sandbox.ok(&[
        "table",
        reference,
        "--where",
        "draw == 0 and turn > 0",
        "--select",
        "session,turn,prompt_tokens",
        "--sort",
        "-prompt_tokens",
        "--limit",
        "3",
        "--format",
        "csv",
    ]);
    let lines: Vec<_> = csv.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{csv}");
    assert_eq!(lines[0], "session,turn,prompt_tokens");
    let wrong = sandbox.run(&["table", reference, "--where", "promt_tokens > 1"]);
    assert_eq!(wrong.code, Some(2), "{wrong}");
    assert!(wrong.stderr.contains("prompt_tokens"), "{wrong}");
    let parquet = sandbox
        .command(&["table", reference, "--limit", "2", "--format", "parquet"])
        .output()
        .unwrap();
    assert!(parquet.stdout.starts_with(b"PAR1"));
}

#[test]
fn init_writes_a_pipeline_that_runs() {
    let sandbox = Sandbox::new();
    for profile in ["agent_like", "short_qa", "long_gen"] {
        sandbox.ok(&["init", profile]);
        sandbox.ok(&["check", &format!("pipelines/{profile}.toml")]);
    }
    let kept = sandbox.ok(&["init", "agent_like"]);
    assert!(kept.stdout.contains("kept"), "{kept}");
}

#[test]
fn stages_lists_every_kind_and_shows_one() {
    let sandbox = Sandbox::new();
    let list = sandbox.ok(&["stages"]).stdout;
    for kind in sbt_stages::KINDS {
        assert!(list.contains(kind.name()));
        let one = sandbox.ok(&["stages", kind.name()]).stdout;
        assert!(one.contains("example"), "{one}");
    }
    assert_eq!(sandbox.run(&["stages", "nothing"]).code, Some(2));
}

#[test]
fn stages_lists_every_server_and_shows_one() {
    let sandbox = Sandbox::new();
    let list = sandbox.ok(&["stages", "trials"]).stdout;
    for name in sbt_stages::ServerSpec::names() {
        assert!(list.contains(&format!("\n  {name} ")), "{list}");
        let server = sbt_stages::ServerSpec::named(name).unwrap();
        let one = sandbox.ok(&["stages", "--server", name]).stdout;
        let json = sandbox.ok(&["stages", "--server", name, "--json"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["knobs"].as_array().unwrap().len(), server.knobs.len());
        for knob in server.knobs.keys() {
            assert!(one.contains(&format!("\n  {knob} ")), "{one}");
        }
    }
    let unknown = sandbox.run(&["stages", "--server", "llamacp"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("did you mean `llamacpp`?"),
        "{unknown}"
    );
}

#[test]
fn doctor_schema_and_completions_answer() {
    let sandbox = Sandbox::new();
    assert!(sandbox.ok(&["doctor"]).stdout.contains("simulator"));
    let schema: Value = serde_json::from_str(&sandbox.ok(&["schema"]).stdout).unwrap();
    assert!(schema["properties"]["stages"].is_object());
    assert!(
        sandbox
            .ok(&["schema", "trials"])
            .stdout
            .contains("ttft_p95_s")
    );
    for shell in ["bash", "zsh", "fish"] {
        assert!(sandbox.ok(&["completions", shell]).stdout.contains("sbt"));
    }
}

#[test]
fn bad_usage_exits_with_code_2() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["run"]).code, Some(2));
    let missing = sandbox.run(&["run", "nowhere.toml"]);
    assert_eq!(missing.code, Some(2), "{missing}");
    assert!(missing.stderr.contains("nowhere.toml"));
}
