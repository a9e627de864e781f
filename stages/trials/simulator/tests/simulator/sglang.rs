//! What SGLang's order of prompts and decoding requests does to them.

use sbt_simulator::{Client, EngineConfig, Request, Run, SchedulerKind};

use super::{launch, request};

fn run(config: EngineConfig, requests: &[Request]) -> Run {
    launch(&config, "l40s", 1).simulate(requests, &Client::default())
}

fn under(scheduler: SchedulerKind) -> EngineConfig {
    EngineConfig {
        scheduler,
        max_num_batched_tokens: Some(1024),
        max_model_len: Some(8192),
        ..EngineConfig::default()
    }
}

/// A prompt of four steps: vLLM decodes in each of them, SGLang in none.
#[test]
fn long_prompt_stops_those_that_decode() {
    let requests = [request(0.0, 100, 200), request(1.0, 4000, 20)];
    let longest_gap = |scheduler| {
        let run = run(under(scheduler), &requests);
        run.itl_s(0).into_iter().fold(0.0, f64::max)
    };
    let (vllm, sglang) = (
        longest_gap(SchedulerKind::Vllm),
        longest_gap(SchedulerKind::Sglang),
    );
    assert!(sglang > 3.0 * vllm, "{sglang} {vllm}");
}

#[test]
fn mixed_chunks_let_them_decode() {
    let requests = [request(0.0, 100, 200), request(1.0, 4000, 20)];
    let longest_gap = |enable_mixed_chunk| {
        let config = EngineConfig {
            enable_mixed_chunk,
            ..under(SchedulerKind::Sglang)
        };
        let run = run(config, &requests);
        run.itl_s(0).into_iter().fold(0.0, f64::max)
    };
    assert!(longest_gap(true) < longest_gap(false) / 3.0);
}

/// Requests are let in on what they are expected to need: less of it, and some come back.
#[test]
fn optimism_lets_more_in_and_retracts_some() {
    let requests: Vec<Request> = (0..14)
        .map(|i| request(0.01 * f64::from(i), 300, 250))
        .collect();
    let run = |schedule_conservativeness| {
        let config = EngineConfig {
            schedule_conservativeness,
            max_model_len: Some(2048),
            num_gpu_blocks_override: Some(300),
            ..under(SchedulerKind::Sglang)
        };
        run(config, &requests)
    };
    let (bold, cautious) = (run(0.1), run(1.4));
    assert!(bold.preemptions > cautious.preemptions);
    for served in bold.requests.iter().chain(&cautious.requests) {
        assert_eq!(served.output_tokens, 250);
    }
}
