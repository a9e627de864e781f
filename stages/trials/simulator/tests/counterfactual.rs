//! What a simulation without a factor says.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use sbt_schemas::RequestStatus;
use sbt_simulator::{Client, EngineConfig, Factor, Gpu, Model, Request, Run, Server, StepSource};

fn crowded() -> Server {
    let config = EngineConfig {
        max_num_seqs: Some(16),
        max_model_len: Some(2048),
        num_gpu_blocks_override: Some(400),
        ..EngineConfig::default()
    };
    let model = Model::named("llama-3.1-8b").unwrap();
    let gpu = Gpu::named("l40s").unwrap();
    Server::launch(&config, model, gpu, 1, &StepSource::default()).unwrap()
}

fn requests() -> Vec<Request> {
    let request = |i: u32| Request {
        start_s: f64::from(i) * 0.05,
        after: None,
        continues: false,
        prompt_tokens: 200 + 83 * (i % 9),
        output_tokens: 60 + 29 * (i % 5),
        block_ids: Vec::new(),
        block_tokens: 16,
    };
    (0..200).map(request).collect()
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
