use sbt_engine::StageKind;
use sbt_workload::WorkloadKind;

use crate::harness::{param_errors, profile};

fn key(with: &str) -> String {
    let with: serde_json::Value = toml::from_str(with).unwrap();
    let stage = WorkloadKind
        .plan(&with)
        .map_err(|errors| format!("{errors:?}"));
    sbt_engine::canonical_json(&stage.unwrap().key_params())
}

#[test]
fn nothing_to_serve_is_an_error() {
    assert_eq!(
        param_errors(""),
        ["profile: nothing to serve: give a `profile`, or a `trace`"]
    );
}

#[test]
fn every_problem_is_told_with_its_path() {
    let with = "requests = 0\nrate_scale = 0.0\n[profile]\ncategory = \"x\"\n\
        arrival = { kind = \"gamma\", rps = -1.0, cv = 1.0 }\n\
        prompt_tokens = { kind = \"mixture\", parts = [{ weight = 1.0, of = { kind = \"uniform\", min = 5, max = 2 } }] }\n\
        output_tokens = { kind = \"lognormal\", mean = 5.0 }\n\
        shared_prefix = { tokens = 500 }\nmax_prompt_tokens = 400\n";
    assert_eq!(
        param_errors(with),
        [
            "requests: must be 1 or more; 0, with `draws = 1`, is all of a recorded trace",
            "profile.arrival.rps: must be above 0, not -1",
            "profile.prompt_tokens.parts.0.of.max: must be at least `min` (5), not 2",
            "profile.output_tokens.kind: a lognormal distribution is given by `mean` and `p95`, or by `mu` and `sigma`",
            "profile.shared_prefix.tokens: the prompt limit of 400 tokens leaves no room after it",
            "rate_scale: must be above 0, not 0",
        ]
    );
}

#[test]
fn replay_needs_a_trace_and_a_closed_loop_has_no_rate() {
    let replay = profile("short_qa", "arrival = { kind = \"replay\" }");
    assert_eq!(
        param_errors(&replay),
        ["arrival: `replay` takes the times of a trace, and there is no `trace`"]
    );
    let closed = profile(
        "short_qa",
        "target_rps = 2.0\narrival = { kind = \"closed_loop\", users = 2 }",
    );
    assert_eq!(
        param_errors(&closed),
        [
            "arrival: a closed loop has no rate to scale: change `users`, or leave `rate_scale` and `target_rps` out"
        ]
    );
}

#[test]
fn fetched_trace_needs_its_digest() {
    assert_eq!(
        param_errors("url = \"https://example.org/trace.csv\""),
        ["sha256: a trace that is fetched needs the SHA-256 of its bytes, as 64 hex digits"]
    );
}

#[test]
fn key_holds_no_path_and_nothing_of_the_source_that_is_not_used() {
    let traced = key(&profile(
        "short_qa",
        "trace = \"here/azure.csv\"\nwindow = { start_s = 9.0 }",
    ));
    assert!(
        !traced.contains("here") && !traced.contains("short_qa"),
        "{traced}"
    );
    let moved = key(&profile(
        "long_gen",
        "trace = \"there/azure.csv\"\nwindow = { start_s = 9 }",
    ));
    assert_eq!(traced, moved);
    let drawn = key(&profile("short_qa", "window = { start_s = 9.0 }"));
    assert_eq!(drawn, key(&profile("short_qa", "")));
    assert_ne!(drawn, key(&profile("short_qa", "seed = 3")));
    let digest = "ab".repeat(32);
    let fetched = |url: &str| key(&format!("url = \"{url}\"\nsha256 = \"{digest}\""));
    assert_eq!(fetched("http://a/x"), fetched("http://b/y"));
    assert!(fetched("http://a/x").contains(&digest));
}

#[test]
fn every_parameter_is_documented() {
    let schema = serde_json::to_value(WorkloadKind.params()).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    assert!(
        properties.values().all(|p| p["description"].is_string()),
        "{schema}"
    );
}

#[test]
fn unknown_names_are_told_with_their_place() {
    let with = profile("short_qa", "trace_format = \"azur\"\nsample = { evry = 2 }")
        .replace("cv = 1.2", "cvv = 1.2");
    assert_eq!(
        param_errors(&with),
        [
            "trace_format: unknown variant `azur`, expected one of `auto`, `mooncake`, `azure`, `burstgpt`, `servegen`, `csv`, `parquet`",
            "sample: unknown variant `evry`, expected `fraction` or `every`",
            "profile.arrival.cvv: unknown field `cvv`, expected `rps` or `cv`",
            "profile.arrival: missing field `cv`",
        ]
    );
}
