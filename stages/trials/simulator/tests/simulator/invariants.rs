//! Laws that hold for every workload and configuration.

use proptest::prelude::*;
use sbt_schemas::RequestStatus;
use sbt_simulator::{
    Client, EngineConfig, Gpu, LaunchFailure, Model, Quantization, Request, Run, SchedulerKind,
    Server, StepSource, WeightsDtype,
};

use super::{launch, request};

fn server(config: &EngineConfig) -> Server {
    launch(config, "l40s", 2)
}

fn small() -> EngineConfig {
    EngineConfig {
        max_num_seqs: Some(8),
        max_num_batched_tokens: Some(256),
        max_model_len: Some(2048),
        num_gpu_blocks_override: Some(160),
        ..EngineConfig::default()
    }
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let one = (0.0..2.0_f64, 1_u32..900, 1_u32..120, 0_u64..3);
    prop::collection::vec(one, 1..40).prop_map(|rows| {
        let mut requests: Vec<Request> = rows
            .into_iter()
            .map(|(start, prompt, output, group)| Request {
                block_ids: (0..8).map(|block| group * 100 + block).collect(),
                ..request(start, prompt, output)
            })
            .collect();
        requests.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        requests
    })
}

fn configs() -> impl Strategy<Value = EngineConfig> {
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    let schedulers = prop_oneof![Just(SchedulerKind::Vllm), Just(SchedulerKind::Sglang)];
    (switches, 1_u32..20, 0_u32..200, 130_u32..400, schedulers).prop_map(
        |((caching, asynchronous, reserve), seqs, threshold, blocks, scheduler)| EngineConfig {
            scheduler,
            enable_prefix_caching: caching,
            async_scheduling: asynchronous,
            scheduler_reserve_full_isl: reserve,
            max_num_seqs: Some(seqs),
            long_prefill_token_threshold: threshold,
            num_gpu_blocks_override: Some(blocks),
            ..small()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_ends_once_with_all_its_tokens(config in configs(), requests in requests()) {
        let run = server(&config).simulate(&requests, &Client::default());
        prop_assert_eq!(run.requests.len(), requests.len());
        for (index, (asked, served)) in requests.iter().zip(&run.requests).enumerate() {
            let gaps = run.itl_s(index);
            prop_assert_eq!(served.status, RequestStatus::Ok);
            prop_assert_eq!(served.output_tokens, u64::from(asked.output_tokens));
            prop_assert_eq!(gaps.len() as u64, served.output_tokens - 1);
            prop_assert!(gaps.iter().all(|gap| *gap >= 0.0));
            prop_assert!(served.cached_tokens < u64::from(asked.prompt_tokens) || asked.prompt_tokens == 0);
        }
        prop_assert!(run.kv_peak <= 1.0);
    }

    #[test]
    fn parts_of_the_latency_add_up_in_order(config in configs(), requests in requests(), most in prop::option::of(1_u64..4)) {
        let client = Client { max_in_flight: most, ..Client::default() };
        let run = server(&config).simulate(&requests, &client);
        for served in &run.requests {
            let (sent, first, end) = (served.sent_s.unwrap(), served.first_token_s.unwrap(), served.end_s.unwrap());
            prop_assert!(served.intended_s <= sent && sent < first && first <= end);
            let parts = [served.retry_s, served.network_s, served.queue_s, served.prefill_s, served.decode_s];
            prop_assert!(parts.iter().all(|part| part.unwrap() >= 0.0));
            let sum: f64 = parts.iter().flatten().sum();
            prop_assert!((sum - (end - served.intended_s)).abs() < 1e-9);
        }
    }

    #[test]
    fn equal_inputs_give_equal_runs(config in configs(), requests in requests()) {
        let client = Client { max_in_flight: Some(6), timeout_s: Some(1.0), retries: 1, backoff_s: 0.1 };
        let server = server(&config);
        prop_assert_eq!(server.simulate(&requests, &client), server.simulate(&requests, &client));
    }

    #[test]
    fn limits_of_the_client_are_kept(requests in requests(), most in 1_u64..5) {
        let client = Client { max_in_flight: Some(most), ..Client::default() };
        let run = server(&small()).simulate(&requests, &client);
        let mut edges: Vec<(f64, i64)> = run.requests.iter()
            .flat_map(|s| [(s.sent_s.unwrap(), 1), (s.end_s.unwrap(), -1)])
            .collect();
        edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut in_flight = 0;
        for (_, change) in edges {
            in_flight += change;
            prop_assert!(in_flight <= most as i64);
        }
    }
}

fn mean_e2e(run: &Run) -> f64 {
    let times = run.requests.iter().map(|s| s.end_s.unwrap() - s.intended_s);
    times.sum::<f64>() / run.requests.len() as f64
}

fn steady(n: u32, gap_s: f64) -> Vec<Request> {
    (0..n)
        .map(|i| request(f64::from(i) * gap_s, 200, 50))
        .collect()
}

#[test]
fn latency_grows_with_load() {
    let server = server(&small());
    let latencies = [2.0, 0.5, 0.1, 0.02, 0.0]
        .map(|gap| mean_e2e(&server.simulate(&steady(60, gap), &Client::default())));
    assert!(latencies.is_sorted(), "{latencies:?}");
    assert!(latencies[4] > 2.0 * latencies[0]);
}

#[test]
fn lone_requests_do_not_wait() {
    let config = EngineConfig {
        max_num_seqs: Some(1),
        ..small()
    };
    let run = server(&config).simulate(&steady(40, 5.0), &Client::default());
    let first = run.requests[0].decode_s.unwrap() + run.requests[0].prefill_s.unwrap();
    for served in &run.requests {
        assert!((served.decode_s.unwrap() + served.prefill_s.unwrap() - first).abs() < 1e-9);
        assert!(served.queue_s.unwrap() < 1e-9);
    }
}

/// M/D/1 with max_num_seqs = 1: at half load the mean wait is half a service time (Pollaczek and
/// Khinchine: ρ S / (2 (1 - ρ))).
#[test]
fn single_server_queue_waits_as_theory_says() {
    let config = EngineConfig {
        max_num_seqs: Some(1),
        async_scheduling: false,
        ..small()
    };
    let server = server(&config);
    let lone = server.simulate(&steady(1, 1.0), &Client::default());
    let service = lone.requests[0].prefill_s.unwrap() + lone.requests[0].decode_s.unwrap();
    let mut state = 12_345_u64;
    let mut at = 0.0;
    let requests: Vec<Request> = (0..4000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let uniform = ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            at += -uniform.ln() * service / 0.5;
            request(at, 200, 50)
        })
        .collect();
    let run = server.simulate(&requests, &Client::default());
    let wait = run.requests.iter().map(|s| s.queue_s.unwrap()).sum::<f64>() / 4000.0;
    assert!((wait / service - 0.5).abs() < 0.06, "{}", wait / service);
}

#[test]
fn starved_cache_preempts_and_a_larger_one_does_not() {
    let burst: Vec<Request> = (0..8).map(|_| request(0.0, 200, 300)).collect();
    let starved = server(&small()).simulate(&burst, &Client::default());
    assert!(starved.preemptions > 0);
    let roomy = EngineConfig {
        num_gpu_blocks_override: Some(1000),
        ..small()
    };
    assert_eq!(
        server(&roomy)
            .simulate(&burst, &Client::default())
            .preemptions,
        0
    );
}

/// Statistical: a larger cache changes who is preempted, but over many loads not for the worse.
#[test]
fn more_blocks_never_preempt_more() {
    let preemptions = |blocks| {
        let config = EngineConfig {
            num_gpu_blocks_override: Some(blocks),
            ..small()
        };
        let server = server(&config);
        let loads = (1..40_u32).map(|load| {
            let requests: Vec<Request> = (0..20)
                .map(|i| {
                    let at = f64::from(i) * f64::from(load) * 0.01;
                    request(at, 50 + 37 * (i * load % 11), 40 + 53 * (i * load % 7))
                })
                .collect();
            server.simulate(&requests, &Client::default()).preemptions
        });
        loads.sum::<u64>()
    };
    let by_blocks = [400, 250, 190, 160, 130].map(preemptions);
    assert!(by_blocks.is_sorted(), "{by_blocks:?}");
    assert!(by_blocks[4] > by_blocks[0]);
}

#[test]
fn reserved_prompts_wait_until_all_of_them_fits() {
    let second_waits = |reserve| {
        let config = EngineConfig {
            scheduler_reserve_full_isl: reserve,
            ..small()
        };
        let loads = [request(0.0, 1500, 200), request(0.5, 1800, 10)];
        let run = server(&config).simulate(&loads, &Client::default());
        assert!(run.requests.iter().all(|s| s.status == RequestStatus::Ok));
        run.requests[1].queue_s.unwrap()
    };
    assert!(second_waits(true) > second_waits(false) + 1.0);
}

#[test]
fn shared_prefix_is_found_and_shortens_the_prefill() {
    let share = |start| Request {
        block_ids: (0..30).collect(),
        ..request(start, 490, 10)
    };
    let run = server(&small()).simulate(&[share(0.0), share(5.0)], &Client::default());
    assert_eq!(run.requests[0].cached_tokens, 0);
    assert_eq!(run.requests[1].cached_tokens, 480);
    assert!(run.requests[1].prefill_s < run.requests[0].prefill_s);
}

#[test]
fn next_turn_waits_for_the_one_before_and_finds_its_blocks() {
    let ids: Vec<u64> = (0..60).collect();
    let first = Request {
        block_ids: ids.clone(),
        ..request(0.0, 160, 64)
    };
    let second = Request {
        start_s: 0.7,
        after: Some(0),
        continues: true,
        priority: 0,
        block_ids: ids,
        ..request(0.0, 320, 10)
    };
    let run = server(&small()).simulate(&[first, second], &Client::default());
    let end = run.requests[0].end_s.unwrap();
    assert!((run.requests[1].intended_s - end - 0.7).abs() < 1e-9);
    // 160 + 64 tokens, the last of which was never computed.
    assert_eq!(run.requests[1].cached_tokens, 208);
}

#[test]
fn time_limit_retries_and_then_gives_up() {
    let client = Client {
        timeout_s: Some(0.05),
        retries: 2,
        backoff_s: 0.1,
        ..Client::default()
    };
    let turns = [
        request(0.0, 900, 100),
        Request {
            after: Some(0),
            continues: true,
            priority: 0,
            ..request(0.1, 10, 10)
        },
    ];
    let run = server(&small()).simulate(&turns, &client);
    assert_eq!(run.requests[0].status, RequestStatus::TimeoutTotal);
    assert_eq!(run.requests[0].attempts, 3);
    assert!((run.requests[0].end_s.unwrap() - (3.0 * 0.05 + 0.1 + 0.2)).abs() < 1e-9);
    assert_eq!(run.requests[1].sent_s, None);
    assert_eq!(run.requests[1].status, RequestStatus::NotSentLate);
}

#[test]
fn refused_attempt_is_retried_and_counts_from_the_intended_send() {
    let config = EngineConfig {
        max_num_seqs: Some(1),
        max_num_queued_reqs: Some(1),
        ..small()
    };
    let client = Client {
        retries: 8,
        backoff_s: 0.5,
        ..Client::default()
    };
    let burst = vec![request(0.0, 100, 50); 4];
    let run = server(&config).simulate(&burst, &client);
    assert!(run.requests.iter().all(|s| s.status == RequestStatus::Ok));
    assert!(run.requests.iter().any(|s| s.attempts > 1));
    for served in run.requests.iter().filter(|s| s.attempts > 1) {
        let pauses = 0.5 * (2_f64.powi(served.attempts as i32 - 1) - 1.0);
        assert_eq!(served.intended_s, 0.0);
        assert!(served.retry_s.unwrap() >= pauses - 1e-9);
    }
}

#[test]
fn full_queue_refuses_and_too_long_prompts_are_invalid() {
    let config = EngineConfig {
        max_num_seqs: Some(1),
        max_num_queued_reqs: Some(1),
        ..small()
    };
    let mut burst: Vec<Request> = (0..4).map(|_| request(0.0, 100, 50)).collect();
    burst.push(request(0.0, 5000, 5));
    burst.push(request(0.0, 0, 5));
    let run = server(&config).simulate(&burst, &Client::default());
    let count = |status| run.requests.iter().filter(|s| s.status == status).count();
    assert_eq!(count(RequestStatus::ContextOverflow), 2);
    assert!(count(RequestStatus::Http5xx) >= 2);
}

#[test]
fn impossible_launches_say_why() {
    let model = Model::named("llama-3.1-70b").unwrap();
    let gpu = Gpu::named("rtx-4090").unwrap();
    let failure = |config: &EngineConfig, model: &Model| {
        let launched = Server::launch(config, model, gpu, 1, &StepSource::default());
        launched.err().unwrap()
    };
    let why = failure(&EngineConfig::default(), model);
    assert!(matches!(why, LaunchFailure::DoesNotFit { .. }), "{why}");
    let model = Model::named("llama-3.1-8b").unwrap();
    let why = failure(&EngineConfig::default(), model);
    assert!(why.to_string().contains("largest max_model_len"), "{why}");
    let crowded = EngineConfig {
        num_gpu_blocks_override: Some(1 << 20),
        ..EngineConfig::default()
    };
    let why = failure(&crowded, model);
    assert!(matches!(why, LaunchFailure::DoesNotFit { .. }), "{why}");
}

/// What is said to fit does fit, and one block more does not.
#[test]
fn largest_length_of_the_refusal_launches() {
    let model = Model::named("llama-3.1-8b").unwrap();
    let gpu = Gpu::named("rtx-4090").unwrap();
    let with = |len| EngineConfig {
        max_model_len: Some(len),
        ..EngineConfig::default()
    };
    let launch = |len| Server::launch(&with(len), model, gpu, 1, &StepSource::default());
    let tokens = launch(2048).unwrap().memory().kv_cache_tokens as u32;
    assert!(launch(tokens).is_ok() && launch(tokens + 1).is_err());
}

#[test]
fn sequences_end_at_max_model_len() {
    let run = server(&small()).simulate(&[request(0.0, 2000, 500)], &Client::default());
    assert_eq!(run.requests[0].status, RequestStatus::Ok);
    assert_eq!(run.requests[0].output_tokens, 48);
}

#[test]
fn knob_that_is_not_modelled_is_refused() {
    let refused = |knob: &str| serde_json::from_str::<EngineConfig>(knob).is_err();
    assert!(refused(r#"{ "decode_context_parallel_size": 2 }"#));
    // Acts between the engines of a data-parallel server only (`core.py`).
    assert!(refused(r#"{ "preemption_mode": 4 }"#));
    assert!(!refused(
        r#"{ "max_num_seqs": 64, "kv_cache_dtype": "fp8", "quantization": "fp8" }"#
    ));
}

#[test]
fn fp8_checkpoint_weighs_what_quantisation_at_load_gives() {
    let model = Model::named("llama-3.1-8b").unwrap();
    let gpu = Gpu::named("l40s").unwrap();
    let weights = |config: &EngineConfig, model: &Model| {
        Server::launch(config, model, gpu, 1, &StepSource::default())
            .unwrap()
            .memory()
            .weights_bytes
    };
    let at_load = EngineConfig {
        quantization: Quantization::Fp8,
        max_model_len: Some(8192),
        ..EngineConfig::default()
    };
    let as_it_is = EngineConfig {
        quantization: Quantization::None,
        ..at_load.clone()
    };
    let checkpoint = Model {
        weights_dtype: WeightsDtype::Fp8,
        ..model.clone()
    };
    assert_eq!(weights(&at_load, model), weights(&as_it_is, &checkpoint));
    assert!(weights(&as_it_is, &checkpoint) < 0.6 * weights(&as_it_is, model));
}

#[test]
fn two_gpus_are_faster_than_one_and_not_twice_as_fast() {
    let on = |tp| {
        let config = EngineConfig {
            tensor_parallel_size: tp,
            ..small()
        };
        mean_e2e(&server(&config).simulate(&steady(20, 1.0), &Client::default()))
    };
    let (one, two) = (on(1), on(2));
    assert!(two < one && two > one / 2.0, "{one} {two}");
}
