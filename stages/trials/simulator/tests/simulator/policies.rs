//! Who goes first, what is refused, and what the client sees of it; and what vLLM 0.19 did
//! otherwise.

use sbt_schemas::RequestStatus;
use sbt_simulator::{Client, EngineConfig, Request, SchedulingPolicy, VllmVersion};

use super::{launch, request, run_whole};

fn small() -> EngineConfig {
    EngineConfig {
        max_num_batched_tokens: Some(512),
        max_model_len: Some(4096),
        ..EngineConfig::default()
    }
}

/// Two at a time, the last of which matters most.
fn of_priorities(priorities: &[i32]) -> Vec<Request> {
    let requests = priorities.iter().zip(0_u32..);
    let request = |(priority, i): (&i32, u32)| Request {
        priority: *priority,
        ..request(0.01 * f64::from(i), 200, 50)
    };
    requests.map(request).collect()
}

#[test]
fn lowest_priority_number_is_served_first_and_equal_ones_by_arrival() {
    let order = |scheduling_policy| {
        let config = EngineConfig {
            scheduling_policy,
            max_num_seqs: Some(1),
            ..small()
        };
        let requests = of_priorities(&[0, 5, 5, -1, 0]);
        let run = run_whole(&launch(&config, "l40s", 1), &requests);
        let mut order: Vec<usize> = (0..requests.len()).collect();
        let ends = |i: &usize| run.requests[*i].end_s.unwrap();
        order.sort_by(|a, b| ends(a).total_cmp(&ends(b)));
        order
    };
    assert_eq!(order(SchedulingPolicy::Fcfs), [0, 1, 2, 3, 4]);
    assert_eq!(order(SchedulingPolicy::Priority), [0, 3, 4, 1, 2]);
}

/// The cache holds two of the three to their end.
#[test]
fn highest_priority_number_is_preempted_wherever_it_stands() {
    let config = EngineConfig {
        scheduling_policy: SchedulingPolicy::Priority,
        num_gpu_blocks_override: Some(60),
        max_model_len: Some(900),
        enable_prefix_caching: false,
        ..small()
    };
    let requests: Vec<Request> = [9, 0, 0]
        .into_iter()
        .map(|priority| Request {
            priority,
            ..request(0.0, 200, 250)
        })
        .collect();
    let run = run_whole(&launch(&config, "l40s", 1), &requests);
    let preemptions: Vec<u64> = run.requests.iter().map(|s| s.preemptions).collect();
    assert!(preemptions[0] > 0, "{preemptions:?}");
    assert_eq!(preemptions[1..], [0, 0]);
}

#[test]
fn prompts_in_the_queue_are_refused_beyond_their_tokens() {
    let config = EngineConfig {
        max_num_seqs: Some(1),
        max_num_queued_tokens: Some(500),
        ..small()
    };
    let burst = vec![request(0.0, 200, 50); 5];
    let run = launch(&config, "l40s", 1).simulate(&burst, &Client::default());
    let ok = |status: RequestStatus| status == RequestStatus::Ok;
    let served: Vec<bool> = run.requests.iter().map(|s| ok(s.status)).collect();
    assert_eq!(
        served,
        [true, true, true, false, false],
        "at 0, 200 and 400 tokens one more is let in, at 600 none"
    );
    let refused = &run.requests[4];
    assert_eq!(refused.status, RequestStatus::Http5xx);
    // The first token of the one that runs takes its prompt out of the count.
    let mut later = burst;
    later.push(request(0.3, 200, 50));
    let run = launch(&config, "l40s", 1).simulate(&later, &Client::default());
    assert!(ok(run.requests[5].status));
}

#[test]
fn requests_that_run_count_among_those_that_are_limited() {
    let config = EngineConfig {
        max_num_queued_reqs: Some(2),
        ..small()
    };
    let burst = vec![request(0.0, 200, 50); 4];
    let run = launch(&config, "l40s", 1).simulate(&burst, &Client::default());
    let served = run
        .requests
        .iter()
        .filter(|s| s.status == RequestStatus::Ok);
    assert_eq!(served.count(), 2);
}

/// `output_processor.py`: the first token, then every fourth, then what is left.
#[test]
fn stream_interval_changes_the_chunks_and_nothing_else() {
    let requests = [request(0.0, 100, 12), request(0.0, 100, 1)];
    let every = run_whole(&launch(&small(), "l40s", 1), &requests);
    let config = EngineConfig {
        stream_interval: 4,
        ..small()
    };
    let fourth = run_whole(&launch(&config, "l40s", 1), &requests);
    assert_eq!(every.requests, fourth.requests);
    assert_eq!(every.chunks(0), None);
    let chunks = fourth.chunks(0).unwrap();
    let tokens: Vec<u32> = chunks.iter().map(|(_, tokens)| *tokens).collect();
    assert_eq!(tokens, [1, 4, 4, 3]);
    let gaps = every.itl_s(0);
    let until_second: f64 = gaps[..4].iter().sum();
    assert!((chunks[1].0 - chunks[0].0 - until_second).abs() < 1e-9);
    assert_eq!(Some(chunks[3].0), fourth.requests[0].end_s);
    assert_eq!(fourth.chunks(1).unwrap().len(), 1);
}

/// A prompt of 1000 tokens on its own: one step of 512 after another, unless a threshold holds.
#[test]
fn only_0_19_cuts_the_prompt_of_the_only_request() {
    let steps = |version| {
        let config = EngineConfig {
            version,
            long_prefill_token_threshold: 100,
            ..small()
        };
        run_whole(&launch(&config, "l40s", 1), &[request(0.0, 1000, 1)]).steps
    };
    assert_eq!(steps(VllmVersion::V0_33), 2);
    assert_eq!(steps(VllmVersion::V0_19), 10);
}

#[test]
fn version_0_19_takes_less_memory_by_default() {
    let blocks = |version| {
        let config = EngineConfig { version, ..small() };
        launch(&config, "l40s", 1).memory().reserved_bytes
    };
    let ratio = blocks(VllmVersion::V0_19) / blocks(VllmVersion::V0_33);
    assert!((ratio - 0.90 / 0.92).abs() < 1e-6, "{ratio}");
}

/// Engines that share experts compute prompts in every fourth step while something decodes: those
/// who decode are held up less often, prompts wait.
#[test]
fn prompts_wait_for_their_step_in_engines_that_step_together() {
    let model = sbt_simulator::Model::named("mixtral-8x7b").unwrap();
    let gpu = sbt_simulator::Gpu::named("h100-sxm").unwrap();
    let mut requests: Vec<Request> = (0..2).map(|_| request(0.0, 100, 400)).collect();
    requests.extend((0..20).map(|i| request(0.5 + 0.05 * f64::from(i), 400, 2)));
    let run = |engines, prefill_schedule_interval| {
        let config = EngineConfig {
            prefill_schedule_interval,
            data_parallel_size: engines,
            tensor_parallel_size: 2,
            enable_expert_parallel: true,
            max_num_seqs: Some(64),
            ..small()
        };
        let source = sbt_simulator::StepSource::default();
        let server = sbt_simulator::Server::launch(&config, model, gpu, 4, &source).unwrap();
        run_whole(&server, &requests)
    };
    let ttft = |run: &sbt_simulator::Run| -> f64 {
        let late = run.requests[2..].iter();
        late.map(|s| s.first_token_s.unwrap() - s.intended_s).sum()
    };
    assert!(ttft(&run(2, 8)) > 1.2 * ttft(&run(2, 1)));
    assert_eq!(run(1, 8), run(1, 1), "one engine has no such rhythm");
}
