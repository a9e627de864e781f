//! The closed loop of a point, simulated.

use std::f64::consts::SQRT_2;

use sbt_simulator::{Client, EngineConfig, Gpu, KvCacheDtype, Request, Server, StepSource};

use super::point::{Engine, Point};

/// Requests of each user; the first, which only spreads the users, is not counted.
const TURNS: u32 = 4;
/// Requests in all that are enough for a mean.
const ENOUGH: u32 = 512;
/// Lengths vary by so much to either side: users with equal lengths prefill and end together.
const JITTER: f64 = 0.1;
/// vLLM before this version schedules a step after the one before has ended.
const VLLM_ASYNC: u32 = 14;
/// vLLM before this version took 0.90 of the memory.
const VLLM_MORE_MEMORY: u32 = 20;
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
    let counted = run.requests.iter().skip(point.concurrency as usize);
    let (mut n, mut ttft_s, mut tpot_s) = (0.0, 0.0, 0.0);
    for served in counted {
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
            gpu_memory_utilization: if minor < VLLM_MORE_MEMORY { 0.90 } else { 0.92 },
            ..common
        },
        // Its prefills come in chunks beside decoding here, as vLLM's do.
        Engine::Sglang => EngineConfig {
            max_num_batched_tokens: Some(sglang_chunk(&point.gpu)),
            max_num_seqs: Some(point.concurrency.clamp(1, sglang_chunk(&point.gpu))),
            gpu_memory_utilization: SGLANG_MEMORY,
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

/// Each user sends its next request when the one before has ended. The first answers are of
/// lengths between nothing and all, so that users do not stay in step.
fn requests(point: &Point) -> Vec<Request> {
    let users = point.concurrency;
    let turns = TURNS.max(ENOUGH.div_ceil(users) + 1).min(4 * TURNS);
    let mut requests = Vec::with_capacity((users * turns) as usize);
    for turn in 0..turns {
        for user in 0..users {
            let number = turn * users + user;
            let (input, output) = (spread(number, GOLDEN), spread(number, SQRT_2));
            let answered = if turn == 0 {
                f64::from(user + 1) / f64::from(users)
            } else {
                output
            };
            requests.push(Request {
                start_s: 0.0,
                after: number.checked_sub(users).map(|before| before as usize),
                continues: false,
                prompt_tokens: scaled(point.input_tokens, input),
                output_tokens: scaled(point.output_tokens, answered),
                block_ids: Vec::new(),
                block_tokens: 16,
            });
        }
    }
    requests
}

/// Factors around 1, by multiples of an irrational number: even over every stretch, and the same
/// every time.
fn spread(number: u32, irrational: f64) -> f64 {
    let place = (f64::from(number) * irrational).fract();
    1.0 + JITTER * (2.0 * place - 1.0)
}

fn scaled(tokens: u32, factor: f64) -> u32 {
    ((f64::from(tokens) * factor).round() as u32).max(1)
}
