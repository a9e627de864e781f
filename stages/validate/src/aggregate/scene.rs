//! The closed loop of a point, simulated.

use std::f64::consts::SQRT_2;

use sbt_simulator::{
    Client, EngineConfig, Gpu, KvCacheDtype, Request, SchedulerKind, Server, StepSource,
    VllmVersion,
};

use super::point::{Engine, Point};

/// Requests of each user; the first wave counts, as it does in the sweeps.
const TURNS: u32 = 5;
/// Lengths vary by so much to either side. With none, users prefill and end together, and TTFT is
/// 2 to 4 times the real one; with 10 % it is half of it. Chosen between, where the 219 development
/// points under vLLM and SGLang together err least.
const JITTER: f64 = 0.02;
/// Chosen: what a client takes between an answer and its next request, at most.
const LONGEST_PAUSE_S: f64 = 0.02;
const SQRT_3: f64 = 1.732_050_807_568_877_2;
/// vLLM before this version schedules a step after the one before has ended.
const VLLM_ASYNC: u32 = 14;
/// Ratio of the golden section.
const GOLDEN: f64 = 1.618_033_988_749_895;
/// SGLang's share of the memory on large GPUs: 10 GB are kept free.
const SGLANG_MEMORY: f64 = 0.88;

/// Means over the requests of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Simulated {
    pub(crate) ttft_s: f64,
    pub(crate) tpot_s: f64,
}

/// Serves the closed loop of a point with step times of a source.
///
/// # Errors
/// Why the simulated server does not come up, or does not answer.
pub(crate) fn simulate(point: &Point, source: &StepSource) -> Result<Simulated, String> {
    let config = config(point);
    let server = Server::launch(&config, &point.model, &point.gpu, point.gpus(), source)
        .map_err(|failure| format!("the simulated server does not come up: {failure}"))?;
    let run = server.simulate(&requests(point), &Client::default());
    let (mut n, mut ttft_s, mut tpot_s) = (0.0, 0.0, 0.0);
    for served in &run.requests {
        let times = served.sent_s.zip(served.first_token_s).zip(served.decode_s);
        let Some(((sent_s, first_s), decode_s)) = times else {
            return Err(format!("a simulated request ended {}", served.status));
        };
        n += 1.0;
        ttft_s += first_s - sent_s;
        tpot_s += decode_s / served.output_tokens.saturating_sub(1).max(1) as f64;
    }
    Ok(Simulated {
        ttft_s: ttft_s / n,
        tpot_s: tpot_s / n,
    })
}

/// What the server is started with; knobs that the file does not say are the server's defaults.
fn config(point: &Point) -> EngineConfig {
    let longest = f64::from(point.input_tokens + point.output_tokens) * (1.0 + JITTER);
    let most = point.model.max_model_len;
    let common = EngineConfig {
        tensor_parallel_size: point.tensor_parallel,
        data_parallel_size: point.data_parallel,
        enable_expert_parallel: point.expert_parallel,
        kv_cache_dtype: if point.kv_fp8 {
            KvCacheDtype::Fp8
        } else {
            KvCacheDtype::Auto
        },
        max_model_len: Some((longest.ceil() as u32 + 16).min(most)),
        ..EngineConfig::default()
    };
    match point.server {
        Engine::Vllm(minor) => EngineConfig {
            async_scheduling: minor >= VLLM_ASYNC,
            version: VllmVersion::of_minor(minor),
            ..common
        },
        Engine::Sglang => EngineConfig {
            scheduler: SchedulerKind::Sglang,
            max_num_batched_tokens: Some(sglang_chunk(&point.gpu)),
            max_num_seqs: Some(point.concurrency.clamp(1, sglang_chunk(&point.gpu))),
            gpu_memory_utilization: Some(SGLANG_MEMORY),
            ..common
        },
    }
}

/// SGLang's `chunked_prefill_size` by memory (`server_args.py` of 0.5).
fn sglang_chunk(gpu: &Gpu) -> u32 {
    match gpu.memory_bytes >> 30 {
        0..35 => 2048,
        35..60 => 4096,
        60..160 => 8192,
        _ => 16_384,
    }
}

/// All users start at once, and each sends its next request shortly after the one before has
/// ended. The pauses take users out of step where the scheduler lets them: with none at all those
/// who once prefilled together would for ever.
fn requests(point: &Point) -> Vec<Request> {
    let users = point.concurrency;
    let mut requests = Vec::with_capacity((users * TURNS) as usize);
    for number in 0..users * TURNS {
        requests.push(Request {
            start_s: LONGEST_PAUSE_S * even(number, GOLDEN),
            after: number.checked_sub(users).map(|before| before as usize),
            continues: false,
            priority: 0,
            prompt_tokens: jittered(point.input_tokens, even(number, SQRT_2)),
            output_tokens: jittered(point.output_tokens, even(number, SQRT_3)),
            block_ids: Vec::new(),
            block_tokens: 16,
        });
    }
    requests
}

/// Multiples of an irrational number, modulo 1: even over every stretch, and the same every time.
fn even(number: u32, irrational: f64) -> f64 {
    (f64::from(number) * irrational).fract()
}

fn jittered(tokens: u32, place: f64) -> u32 {
    let factor = 1.0 + JITTER * (2.0 * place - 1.0);
    ((f64::from(tokens) * factor).round() as u32).max(1)
}
