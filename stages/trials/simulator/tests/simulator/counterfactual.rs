//! What a simulation without a factor says.

use sbt_schemas::RequestStatus;
use sbt_simulator::{Client, EngineConfig, Factor, Request, Run, Server};

use super::{launch, request};

fn crowded() -> Server {
    let config = EngineConfig {
        max_num_seqs: Some(16),
        max_model_len: Some(2048),
        num_gpu_blocks_override: Some(400),
        ..EngineConfig::default()
    };
    launch(&config, "l40s", 1)
}

fn requests() -> Vec<Request> {
    let numbered = |i: u32| {
        let (prompt, output) = (200 + 83 * (i % 9), 60 + 29 * (i % 5));
        request(f64::from(i) * 0.05, prompt, output)
    };
    (0..200).map(numbered).collect()
}

fn without(factors: &[Factor]) -> Run {
    let client = Client {
        timeout_s: Some(25.0),
        retries: 1,
        backoff_s: 1.0,
        ..Client::default()
    };
    crowded().simulate_without(factors, &requests(), &client)
}

fn mean_e2e(run: &Run) -> f64 {
    let e2e = run.requests.iter().map(|r| r.end_s.unwrap() - r.intended_s);
    e2e.sum::<f64>() / run.requests.len() as f64
}

#[test]
fn each_factor_costs_time_and_all_together_the_most() {
    let whole = mean_e2e(&without(&[]));
    let none = mean_e2e(&without(&Factor::ALL));
    assert!(none < whole / 2.0, "{none} {whole}");
    for factor in [Factor::KvCache, Factor::Prefill] {
        let seconds = mean_e2e(&without(&[factor]));
        assert!(seconds < whole, "{}: {seconds} {whole}", factor.name());
    }
    // The cache is full before the places are: more of these alone change nothing.
    assert_eq!(mean_e2e(&without(&[Factor::Queue])), whole);
    let cache = mean_e2e(&without(&[Factor::KvCache]));
    assert!(mean_e2e(&without(&[Factor::KvCache, Factor::Queue])) < cache);
}

#[test]
fn what_is_taken_away_does_not_happen() {
    let run = without(&[]);
    assert!(run.preemptions > 0);
    assert!(run.requests.iter().any(|request| request.attempts > 1));
    assert_eq!(without(&[Factor::KvCache]).preemptions, 0);
    let patient = without(&[Factor::Retry]);
    let ok = |request: &sbt_simulator::Served| request.status == RequestStatus::Ok;
    assert!(patient.requests.iter().all(|r| ok(r) && r.attempts == 1));
    let free = without(&[Factor::Queue, Factor::KvCache]);
    let queued = free.requests.iter().filter_map(|request| request.queue_s);
    assert!(queued.fold(0.0, f64::max) < 0.5);
}
