use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

const LINE: &str = r#"{"request_id": "bench-1", "input_toks": 64, "output_toks": 5, "queued_ts": 10.0, "first_token_ts": 10.5, "last_token_ts": 10.9}"#;
const FIRST: &str = r#"{"request_id": "bench-0", "input_toks": 32, "output_toks": 1, "queued_ts": 9.0, "first_token_ts": 9.5, "last_token_ts": 9.5}"#;

fn meta() -> Value {
    json!({
        "model": "meta-llama/Llama-3.1-8B",
        "vllm_version": "0.19.0",
        "engine_kwargs": {
            "tensor_parallel_size": 1, "data_parallel_size": 1, "enable_expert_parallel": false,
            "max_num_seqs": 128, "max_num_batched_tokens": 2048, "max_model_len": 8192,
            "kv_cache_dtype": "auto",
        },
        "kv_cache": { "num_gpu_blocks": 2588, "block_size": 16 },
    })
}

fn config(hardware: &str) -> Value {
    json!({ "nodes": [{ "instances": [{ "hardware": hardware }] }] })
}

fn workload(prompts: &[u64]) -> Vec<WorkloadRow> {
    let rows = prompts
        .iter()
        .zip(0..)
        .map(|(prompt_tokens, id)| WorkloadRow {
            draw: 0,
            request_id: id,
            session: id,
            turn: 0,
            arrival_s: Some(id as f64),
            think_s: None,
            continues: false,
            prompt_tokens: *prompt_tokens,
            output_tokens: 7,
            prefix_block_ids: Vec::new(),
            prefix_block_tokens: 16,
            category: "test".to_owned(),
            prompt: None,
        });
    rows.collect()
}

/// Reads a run of these files with a workload of these prompts.
fn of(meta: &Value, config: &Value, lines: &str, prompts: &[u64]) -> Result<Scene, String> {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), META, &meta.to_string());
    write(dir.path(), CONFIG, &config.to_string());
    write(dir.path(), REQUESTS, lines);
    read(dir.path(), &workload(prompts), None, None).map_err(|error| error.to_string())
}

fn write(dir: &Path, file: &str, text: &str) {
    fs::write(dir.join(file), text).unwrap();
}

fn both() -> String {
    format!("{LINE}\n{FIRST}\n")
}

#[test]
fn run_is_read_in_the_order_of_its_requests() {
    let scene = of(&meta(), &config("RTX4090"), &both(), &[32, 64]).unwrap();
    let machine = &scene.machine;
    assert_eq!(
        (machine.model.name.as_str(), machine.gpu.name.as_str()),
        ("llama-3.1-8b", "rtx-4090")
    );
    assert_eq!(machine.config.num_gpu_blocks_override, Some(2588));
    assert_eq!(machine.config.max_num_seqs, Some(128));
    assert_eq!(
        machine.config.resolved_gpu_memory_utilization(),
        0.9,
        "the default of vLLM 0.19"
    );
    let measured: Vec<_> = scene
        .measured
        .iter()
        .map(|m| (m.ttft_s, m.tpot_s.is_some()))
        .collect();
    assert_eq!(measured, [(0.5, false), (0.5, true)]);
    let tokens: Vec<u32> = scene.requests.iter().map(|r| r.output_tokens).collect();
    assert_eq!(tokens, [1, 5], "what was generated, not what was asked for");
}

#[test]
fn resolved_values_go_before_arguments_and_blocks_are_shared_by_the_engines() {
    let mut meta = meta();
    meta["engine_kwargs"]["data_parallel_size"] = json!(2);
    meta["resolved_config"] =
        json!({ "scheduler_config": { "max_num_seqs": 64, "async_scheduling": false } });
    let scene = of(&meta, &config("RTX4090"), &both(), &[32, 64]).unwrap();
    let config = &scene.machine.config;
    assert_eq!(
        (config.max_num_seqs, config.async_scheduling),
        (Some(64), false)
    );
    assert_eq!(
        (config.num_gpu_blocks_override, scene.machine.gpus),
        (Some(1294), 2)
    );
}

#[test]
fn hardware_is_known_by_what_devices_call_themselves() {
    for (said, name) in [
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        (
            "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
            "rtx-pro-6000",
        ),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA A100-SXM4-80GB", "a100-80g-sxm"),
        ("RTXPRO6000", "rtx-pro-6000"),
        ("NVIDIA L40S", "l40s"),
    ] {
        let scene = of(&meta(), &config(said), &both(), &[32, 64]).unwrap();
        assert_eq!(scene.machine.gpu.name, name, "{said}");
    }
}

#[test]
fn link_between_gpus_is_the_runs_own() {
    let mut linked = config("RTXPRO6000");
    linked["link_bw"] = json!(16);
    linked["link_latency"] = json!(20_000);
    let scene = of(&meta(), &linked, &both(), &[32, 64]).unwrap();
    let [_, two_mb, _] = scene.machine.gpu.all_reduce_tp2_us;
    assert!(
        (two_mb - (20.0 + 2_097_152.0 / 16e3)).abs() < 1e-9,
        "{two_mb}"
    );
}

#[test]
fn broken_runs_say_what_is_wrong_and_what_was_expected() {
    let good = || (meta(), config("RTX4090"), both());
    let mut unknown_model = meta();
    unknown_model["model"] = json!("someone/Strange-7B");
    let mut quantised = meta();
    quantised["engine_kwargs"]["quantization"] = json!("squeezellm");
    let swapped = FIRST
        .replace("10.5", "1")
        .replace("\"queued_ts\": 9.0", "\"queued_ts\": 9.7");
    let cases = [
        (
            (unknown_model, good().1, both()),
            "`someone/Strange-7B` is not in the catalogue",
        ),
        (
            (quantised, good().1, both()),
            "does not take \"squeezellm\" at /engine_kwargs/quantization",
        ),
        (
            (json!({ "model": "m" }), good().1, both()),
            "expected the engine's arguments under `engine_kwargs`",
        ),
        (
            (meta(), config("TPU v7"), both()),
            "`TPU v7` is not in the catalogue: ",
        ),
        (
            (meta(), json!({}), both()),
            "neither `nodes[0].instances[0].hardware`",
        ),
        (
            (meta(), good().1, format!("{LINE}\nnonsense\n")),
            "`requests.jsonl`, line 2: expected",
        ),
        (
            (meta(), good().1, format!("{LINE}\n{{\"input_toks\": 3}}\n")),
            "line 2: missing field",
        ),
        (
            (meta(), good().1, format!("{LINE}\n{swapped}\n")),
            "line 2: expected queued_ts <= first_token_ts",
        ),
        (
            (
                meta(),
                good().1,
                LINE.replace("\"output_toks\": 5", "\"output_toks\": 0"),
            ),
            "expected 1 or more `input_toks` and `output_toks`",
        ),
        (
            (meta(), good().1, LINE.to_owned()),
            "the run has 1 requests and the workload 2",
        ),
        (
            (meta(), good().1, String::new()),
            "the run has 0 requests and the workload 2",
        ),
    ];
    for ((meta, config, lines), expected) in cases {
        let message = of(&meta, &config, &lines, &[32, 64]).unwrap_err();
        assert!(message.contains(expected), "{message}\nexpected {expected}");
    }
    let message = of(&meta(), &config("RTX4090"), &both(), &[32, 640]).unwrap_err();
    assert!(
        message.contains("request 1 has 64 prompt tokens in the run and 640"),
        "{message}"
    );
}

#[test]
fn missing_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), META, "{");
    let message = read(dir.path(), &workload(&[32]), None, None)
        .unwrap_err()
        .to_string();
    assert!(message.starts_with("`meta.json` is no JSON: "), "{message}");
    write(dir.path(), META, &meta().to_string());
    let message = read(dir.path(), &workload(&[32]), None, None)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("config.json") && message.contains("a run is a folder with"),
        "{message}"
    );
}
