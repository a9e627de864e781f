//! Pipeline parallelism: what it gives to many requests, and what a lone one has of it.

use sbt_simulator::{EngineConfig, Request, Server};

use super::{launch, request, run_whole};

fn requests(count: u32) -> Vec<Request> {
    let numbered = |i| {
        let (prompt, output) = (800 + 37 * (i % 19), 100 + 11 * (i % 7));
        request(f64::from(i) * 1e-3, prompt, output)
    };
    (0..count).map(numbered).collect()
}

fn stages(stages: u32, async_scheduling: bool) -> Server {
    let config = EngineConfig {
        pipeline_parallel_size: stages,
        async_scheduling,
        max_num_seqs: Some(256),
        max_num_batched_tokens: Some(2048),
        max_model_len: Some(2048),
        ..EngineConfig::default()
    };
    launch(&config, "h100-sxm", 4)
}

#[test]
fn many_requests_end_sooner_and_a_lone_one_does_not() {
    for async_scheduling in [true, false] {
        let end = |count, size| run_whole(&stages(size, async_scheduling), &requests(count)).end_s;
        let gain = end(600, 1) / end(600, 4);
        assert!((1.1..4.0).contains(&gain), "{gain}");
        assert!(end(1, 4) >= end(1, 1));
    }
}

/// At most one step of a request is in flight at once: gaps are those of the whole pipeline, not of a stage.
#[test]
fn request_decodes_once_per_passage() {
    for async_scheduling in [true, false] {
        let lone = run_whole(&stages(1, async_scheduling), &requests(1));
        let least = lone.itl_s(0).into_iter().fold(f64::INFINITY, f64::min);
        let crowd = run_whole(&stages(4, async_scheduling), &requests(200));
        let gaps = (0..200).flat_map(|request| crowd.itl_s(request));
        assert!(gaps.fold(f64::INFINITY, f64::min) > 0.95 * least);
    }
}

#[test]
fn layers_are_divided_and_the_cache_grows() {
    let (one, four) = (*stages(1, true).memory(), *stages(4, true).memory());
    assert!((one.block_bytes / four.block_bytes - 4.0).abs() < 1e-9);
    assert!(four.weights_bytes < 0.32 * one.weights_bytes);
    assert!(four.kv_cache_tokens > 4 * one.kv_cache_tokens);
}
