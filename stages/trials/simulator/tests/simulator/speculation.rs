//! Speculative decoding: what it changes in steps, and when it pays.

use sbt_simulator::{EngineConfig, Request, Run, SpeculativeMethod};

use super::{launch, request, run_whole};

fn requests(count: u32, output: u32) -> Vec<Request> {
    let numbered = |i| request(f64::from(i) * 1e-3, 100 + i % 50, output);
    (0..count).map(numbered).collect()
}

fn speculating(drafts: u32, method: SpeculativeMethod) -> EngineConfig {
    EngineConfig {
        num_speculative_tokens: drafts,
        speculative_method: method,
        speculative_acceptance: vec![0.7],
        max_num_seqs: Some(256),
        max_num_batched_tokens: Some(2048),
        max_model_len: Some(1024),
        ..EngineConfig::default()
    }
}

fn run(config: &EngineConfig, requests: &[Request]) -> Run {
    run_whole(&launch(config, "h100-sxm", 1), requests)
}

/// A lone request waits for the weights, which a draft reads no second time; 256 requests keep the
/// products busy, and a draft of which a third is dropped is work.
#[test]
fn drafts_pay_at_low_load_and_cost_where_products_are_the_limit() {
    for method in [SpeculativeMethod::Ngram, SpeculativeMethod::Eagle] {
        let gain = |count, drafts| {
            let requests = requests(count, 200);
            let without = run(&speculating(0, method), &requests).end_s;
            without / run(&speculating(drafts, method), &requests).end_s
        };
        assert!(gain(1, 3) > 1.5, "{}", gain(1, 3));
        assert!(gain(256, 7) < 0.95, "{}", gain(256, 7));
        assert!(gain(1, 3) > gain(64, 3));
    }
}

#[test]
fn drafts_by_a_layer_take_longer_than_those_found_in_the_text() {
    let requests = requests(4, 200);
    let end = |method| run(&speculating(3, method), &requests).end_s;
    assert!(end(SpeculativeMethod::Eagle) > 1.02 * end(SpeculativeMethod::Ngram));
    assert_eq!(end(SpeculativeMethod::Eagle), end(SpeculativeMethod::Mtp));
}

/// A chain of 3 drafts at 0.7 gives 1 + 0.7 + 0.49 + 0.343 tokens a step.
#[test]
fn tokens_of_one_step_come_at_one_time() {
    let config = speculating(3, SpeculativeMethod::Ngram);
    let run = run(&config, &requests(1, 900));
    let gaps = run.itl_s(0);
    let later = gaps.iter().filter(|gap| **gap > 0.0).count() as f64;
    assert_eq!(gaps.len(), 899);
    assert!((899.0 / later - 2.533).abs() < 0.15, "{}", 899.0 / later);
}

#[test]
fn drafts_that_are_never_accepted_leave_one_token_a_step() {
    let config = EngineConfig {
        speculative_acceptance: vec![0.0],
        ..speculating(4, SpeculativeMethod::Ngram)
    };
    let run = run(&config, &requests(1, 50));
    assert!(run.itl_s(0).iter().all(|gap| *gap > 0.0));
}

/// Sequences to the very end of the context, in a cache that holds hardly more than one of them.
#[test]
fn drafts_end_with_the_context_and_survive_preemption() {
    for method in [SpeculativeMethod::Ngram, SpeculativeMethod::Mtp] {
        for async_scheduling in [true, false] {
            let config = EngineConfig {
                async_scheduling,
                num_gpu_blocks_override: Some(66),
                ..speculating(9, method)
            };
            let mut requests = requests(12, 400);
            requests[3].output_tokens = 1024 - requests[3].prompt_tokens;
            assert!(run(&config, &requests).preemptions > 0);
        }
    }
}
