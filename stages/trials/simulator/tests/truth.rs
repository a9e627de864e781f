//! Against real runs of vLLM 0.19: 300 ShareGPT requests at about 10 per second.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop and may say why it skips"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sbt_simulator::{
    Client, EngineConfig, Gpu, KernelTables, Model, Products, Request, Server, StepSource,
};
use serde_json::Value;

fn data(path: &str) -> Option<PathBuf> {
    let base = std::env::var_os("SBT_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data"),
        PathBuf::from,
    );
    let file = base.join(path);
    if !file.exists() {
        println!("skipped: {} is not on this machine", file.display());
        return None;
    }
    Some(file)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Means over requests, seconds.
#[derive(Debug)]
struct Means {
    ttft: f64,
    tpot: f64,
    e2e: f64,
}

fn means(rows: impl Iterator<Item = (f64, f64, f64)>) -> Means {
    let rows: Vec<_> = rows.collect();
    let mean =
        |pick: fn(&(f64, f64, f64)) -> f64| rows.iter().map(pick).sum::<f64>() / rows.len() as f64;
    Means {
        ttft: mean(|r| r.0),
        tpot: mean(|r| r.1),
        e2e: mean(|r| r.2),
    }
}

fn measured(run: &str) -> Option<Means> {
    let rows = lines(&data(&format!("serving-truth/{run}/requests.jsonl"))?);
    Some(means(rows.iter().map(|row| {
        let at = |name: &str| row[name].as_f64().unwrap();
        let tokens = at("output_toks");
        let (queued, first, last) = (at("queued_ts"), at("first_token_ts"), at("last_token_ts"));
        (
            first - queued,
            (last - first) / (tokens - 1.0).max(1.0),
            last - queued,
        )
    })))
}

fn simulated(run: &str, gpu: &Gpu, source: &StepSource) -> Option<Means> {
    let meta: Value = serde_json::from_str(
        &std::fs::read_to_string(data(&format!("serving-truth/{run}/meta.json"))?).unwrap(),
    )
    .unwrap();
    let config = EngineConfig {
        max_num_seqs: meta["engine_kwargs"]["max_num_seqs"]
            .as_u64()
            .map(|n| n as u32),
        max_num_batched_tokens: Some(2048),
        max_model_len: Some(32_768),
        gpu_memory_utilization: Some(0.9),
        num_gpu_blocks_override: meta["kv_cache"]["num_gpu_blocks"]
            .as_u64()
            .map(|n| n as u32),
        ..EngineConfig::default()
    };
    let requests: Vec<Request> = lines(&data(
        "serving-truth/workloads/sharegpt-llama-3.1-8b-300-sps10.jsonl",
    )?)
    .iter()
    .map(|row| Request {
        start_s: row["timestamp"].as_f64().unwrap() / 1e3,
        after: None,
        continues: false,
        priority: 0,
        prompt_tokens: row["input_length"].as_u64().unwrap() as u32,
        output_tokens: row["output_length"].as_u64().unwrap() as u32,
        block_ids: row["hash_ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_u64().unwrap())
            .collect(),
        block_tokens: 16,
    })
    .collect();
    let model = Model::named("llama-3.1-8b").unwrap();
    let server = Server::launch(&config, model, gpu, 1, source).unwrap();
    let run = server.simulate(&requests, &Client::default());
    Some(means(run.requests.iter().map(|served| {
        let ttft = served.queue_s.unwrap() + served.prefill_s.unwrap();
        let decode = served.decode_s.unwrap();
        let tokens = served.output_tokens as f64;
        (ttft, decode / (tokens - 1.0).max(1.0), ttft + decode)
    })))
}

/// Errors in percent must lie within some points of those recorded.
fn assert_errors(run: &str, gpu: &Gpu, source: &StepSource, expected: [f64; 3], points: f64) {
    let (Some(real), Some(ours)) = (measured(run), simulated(run, gpu, source)) else {
        return;
    };
    let errors = [
        ours.ttft / real.ttft - 1.0,
        ours.tpot / real.tpot - 1.0,
        ours.e2e / real.e2e - 1.0,
    ]
    .map(|error| error * 100.0);
    println!("{run}: TTFT, TPOT, E2E errors in percent: {errors:.1?}");
    for (error, expected) in errors.iter().zip(expected) {
        assert!(
            (error - expected).abs() <= points,
            "{errors:.1?}, expected {expected}"
        );
    }
}

/// The data sheet's peaks at 85 % each, and nothing besides the bytes and the operations.
fn uncalibrated(gpu: &str) -> Gpu {
    let known = Gpu::named(gpu).unwrap().clone();
    Gpu {
        bf16: Products {
            gemm: 0.85,
            read: 0.85,
            launch_us: 0.0,
            ..known.bf16
        },
        decode_attn: 0.85,
        prefill_attn: 0.85,
        prefill_keys: 0.0,
        attention_us: 0.0,
        ..known
    }
}

/// The KV cache is the bottleneck here: what is tested is the scheduler, its preemptions and its
/// cache. 85 % of the peaks is too slow for this GPU: an independent prototype without the bytes of
/// activations and of small kernels had -1.1 %.
#[test]
fn starved_rtx_4090_is_met() {
    let gpu = uncalibrated("rtx-4090");
    assert_errors(
        "RTX4090_Llama-3.1-8B",
        &gpu,
        &StepSource::default(),
        [6.0, 4.4, 5.6],
        2.0,
    );
}

/// Flat efficiencies are too fast here: an independent prototype, which also left out the bytes of
/// activations and of small kernels, had -22.7 % TTFT and -9.1 % TPOT.
#[test]
fn busy_rtx_pro_6000_errs_as_an_uncalibrated_model_does() {
    let gpu = uncalibrated("rtx-pro-6000");
    assert_errors(
        "RTXPRO6000_Llama-3.1-8B",
        &gpu,
        &StepSource::default(),
        [-12.6, -5.1, -7.1],
        2.0,
    );
}

/// What users get without calibration, as recorded at revision 5. Before, products had no launch
/// and small kernels and activations no bytes: -18 % TTFT on the RTX PRO 6000, -7.5 % on the RTX
/// 4090. A change here is a change of every result.
#[test]
fn errors_of_the_catalogue_are_those_recorded() {
    let gpu = |name| Gpu::named(name).unwrap();
    assert_errors(
        "RTX4090_Llama-3.1-8B",
        gpu("rtx-4090"),
        &StepSource::default(),
        [-2.7, -2.6, -2.7],
        2.0,
    );
    assert_errors(
        "RTXPRO6000_Llama-3.1-8B",
        gpu("rtx-pro-6000"),
        &StepSource::default(),
        [0.7, 0.2, 0.3],
        2.0,
    );
}

/// Kernels that were measured on a GPU of the same kind.
fn kernels(folder: &str) -> Option<StepSource> {
    let folder = data(folder)?;
    let files = std::fs::read_dir(&folder).unwrap();
    let texts = files.map(|file| {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        (file.file_name().into_string().unwrap(), text)
    });
    Some(StepSource {
        kernels: Some(Arc::new(KernelTables::parse(&texts.collect()).unwrap())),
        ..StepSource::default()
    })
}

#[test]
fn kernel_profiles_meet_both_runs_within_two_percent() {
    for (run, gpu, folder) in [
        ("RTX4090_Llama-3.1-8B", "rtx-4090", "RTX4090"),
        ("RTXPRO6000_Llama-3.1-8B", "rtx-pro-6000", "RTXPRO6000"),
    ] {
        let folder = format!("kernel-profiles/{folder}/meta-llama/Llama-3.1-8B/bf16/tp1");
        let Some(source) = kernels(&folder) else {
            return;
        };
        assert_errors(run, Gpu::named(gpu).unwrap(), &source, [0.0; 3], 2.0);
    }
}

/// Tables of products and attention by shape know nothing of mixed batches, and still halve the
/// error of the data sheet.
#[test]
fn errors_of_hardware_tables_are_those_recorded() {
    let Some(source) = kernels("hardware-tables/rtx_pro_6000_server") else {
        return;
    };
    let gpu = Gpu::named("rtx-pro-6000").unwrap();
    assert_errors(
        "RTXPRO6000_Llama-3.1-8B",
        gpu,
        &source,
        [-7.2, -2.6, -3.8],
        2.0,
    );
}
