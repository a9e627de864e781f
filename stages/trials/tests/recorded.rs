//! Server files against what real servers wrote: logs of failed starts, and `/metrics`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop and may say why it skips"
)]

use std::path::{Path, PathBuf};

use sbt_launcher::FailurePattern;
use sbt_schemas::Outcome;
use sbt_trials::{ServerSpec, Told};

fn sample(name: &str) -> Option<String> {
    let base = std::env::var_os("SBT_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let file = base.join("samples").join(name);
    if !file.exists() {
        println!("skipped: {} is not on this machine", file.display());
        return None;
    }
    Some(String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned())
}

#[test]
fn recorded_failures_have_their_outcome_and_reason() {
    use Outcome::{Crashed, LaunchFailed, Oom};
    let flag = "this version does not know a flag";
    let value = "this version does not take the value of a flag";
    let memory = "the machine ran out of memory";
    let port = "the port is in use";
    for (file, outcome, reason) in [
        ("llama_fail_wrongflag.log", LaunchFailed, flag),
        ("llama_fail_badvalue.log", LaunchFailed, value),
        ("llama_fail_badenum.log", LaunchFailed, value),
        ("llama_fail_portbusy.log", LaunchFailed, port),
        (
            "llama_fail_nomodel.log",
            LaunchFailed,
            "the model file cannot be opened",
        ),
        (
            "llama_fail_truncmodel.log",
            LaunchFailed,
            "the model file is cut off",
        ),
        (
            "llama_fail_junkmodel.log",
            LaunchFailed,
            "the model file is no GGUF file",
        ),
        (
            "llama_fail_vquant_nofa.log",
            LaunchFailed,
            "a quantised V cache needs flash attention",
        ),
        ("llama_fail_hugectx.log", Oom, memory),
        ("llama_fail_ulimit_v.log", Oom, memory),
        ("vllm_fail_badflag.log", LaunchFailed, flag),
        ("vllm_fail_badval.log", LaunchFailed, value),
        ("vllm_fail_portbusy.log", LaunchFailed, port),
        (
            "vllm_fail_bigmml.log",
            LaunchFailed,
            "max_model_len exceeds the model's context length",
        ),
        (
            "vllm_fail_nomodel.log",
            LaunchFailed,
            "the model is neither a folder nor in the hub's cache",
        ),
        (
            "vllm_engine_killed.log",
            Crashed,
            "the engine's process ended",
        ),
    ] {
        let Some(log) = sample(file) else { return };
        let (failure, line) = FailurePattern::first(&server_of(file).failures, &log).unwrap();
        assert_eq!(
            (failure.outcome, failure.reason.as_str()),
            (outcome, reason)
        );
        assert!(line.contains(&failure.matches), "{file}: {line}");
        let not_of_the_configuration = file.contains("portbusy") || file.contains("nomodel");
        assert_eq!(failure.infrastructure, not_of_the_configuration, "{file}");
    }
}

#[test]
fn logs_of_servers_that_came_up_match_no_failure() {
    for file in [
        "llama_startup.log",
        "llama_startup_lv4_kv.log",
        "vllm_startup.log",
    ] {
        let Some(log) = sample(file) else { return };
        assert_eq!(
            FailurePattern::first(&server_of(file).failures, &log),
            None,
            "{file}"
        );
    }
}

#[test]
fn every_metric_is_among_the_recorded() {
    for (file, missing) in [
        ("llama_metrics.txt", &["kv_usage", "preemptions"][..]),
        ("vllm_metrics.txt", &[]),
    ] {
        let Some(text) = sample(file) else { return };
        for (what, names) in server_of(file).metrics.names() {
            assert_eq!(names.is_empty(), missing.contains(&what), "{file}: {what}");
            for name in names {
                let is_sample = |line: &str| {
                    let rest = line.strip_prefix(name.as_str());
                    rest.is_some_and(|rest| rest.starts_with([' ', '{']))
                };
                assert!(text.lines().any(is_sample), "{file}: {name}");
            }
        }
    }
}

#[test]
fn every_size_is_among_the_recorded() {
    for (server, file, number) in [
        ("vllm", "vllm_metrics.txt", 3),
        ("llamacpp", "llama_props.txt", 1),
    ] {
        let Some(text) = sample(file) else { return };
        let sizes = &ServerSpec::named(server).unwrap().sizes;
        let told = [
            &sizes.kv_cache_tokens,
            &sizes.num_gpu_blocks,
            &sizes.block_size,
            &sizes.max_num_seqs,
            &sizes.max_num_batched_tokens,
        ];
        let recorded = told.into_iter().flatten().filter(|told| match told {
            Told::Label { metric, name } => {
                let mut lines = text
                    .lines()
                    .filter(|line| line.starts_with(metric.as_str()));
                lines.any(|line| line.contains(&format!(r#"{name}=""#)))
            }
            Told::Json { at, .. } => {
                let body = text.split("\r\n\r\n").last().unwrap();
                let answer = serde_json::from_str::<serde_json::Value>(body);
                answer.is_ok_and(|answer| answer.pointer(at).is_some_and(|size| size.is_u64()))
            }
        });
        assert_eq!(recorded.count(), number, "{server}");
    }
}

/// The server that a recording is of.
fn server_of(file: &str) -> &'static ServerSpec {
    let llama = file.starts_with("llama");
    ServerSpec::named(if llama { "llamacpp" } else { "vllm" }).unwrap()
}
