//! A live server against the simulation of the same requests.

use proptest::prelude::*;

use super::*;
use crate::{Client, EngineConfig, Gpu, Model, Server, StepSource};

fn server(config: &EngineConfig) -> Server {
    let model = Model::named("llama-3.1-8b").unwrap();
    Server::launch(
        config,
        model,
        Gpu::named("l40s").unwrap(),
        1,
        &StepSource::default(),
    )
    .unwrap()
}

fn configs() -> impl Strategy<Value = EngineConfig> {
    let switches = (any::<bool>(), any::<bool>());
    (switches, 1_u32..20, 0_u32..200, 130_u32..400).prop_map(
        |((caching, asynchronous), seqs, threshold, blocks)| EngineConfig {
            enable_prefix_caching: caching,
            async_scheduling: asynchronous,
            max_num_seqs: Some(seqs),
            max_num_batched_tokens: Some(256),
            max_model_len: Some(2048),
            long_prefill_token_threshold: threshold,
            num_gpu_blocks_override: Some(blocks),
            ..EngineConfig::default()
        },
    )
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let one = (0.0..2.0_f64, 1_u32..900, 1_u32..120, 0_u64..3);
    prop::collection::vec(one, 1..60).prop_map(|rows| {
        let request = |(start_s, prompt_tokens, output_tokens, group)| Request {
            start_s,
            after: None,
            continues: false,
            priority: 0,
            prompt_tokens,
            output_tokens,
            block_ids: (0..8).map(|block| group * 100 + block).collect(),
            block_tokens: 16,
        };
        let mut requests: Vec<Request> = rows.into_iter().map(request).collect();
        requests.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
        requests
    })
}

/// Submits each request at its time, waking every `tick_s` besides; what came out.
fn played(live: &mut Live, requests: &[Request], tick_s: f64) -> Vec<Emission> {
    let mut out = Vec::new();
    let mut now = 0.0;
    for request in requests {
        while now + tick_s < request.start_s {
            now += tick_s;
            out.extend(live.advance(now));
        }
        now = request.start_s;
        out.extend(live.advance(now));
        live.submit(request).unwrap();
    }
    while let Some(next) = live.next_s() {
        out.extend(live.advance(next));
    }
    out
}

fn of_request(out: &[Emission], request: usize) -> Vec<Emission> {
    let own = out.iter().filter(|e| e.request == request as u64);
    own.copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn live_server_gives_the_tokens_of_the_simulation(config in configs(), requests in requests(), tick_s in 0.01..0.5_f64) {
        let server = server(&config);
        let run = server.simulate(&requests, &Client::default());
        let mut live = server.live().unwrap();
        let out = played(&mut live, &requests, tick_s);
        prop_assert!(out.is_sorted_by(|a, b| a.at_s <= b.at_s));
        for (number, served) in run.requests.iter().enumerate() {
            let tokens = of_request(&out, number);
            prop_assert_eq!(tokens.first().map(|t| t.at_s), served.first_token_s);
            let gaps: Vec<f64> = tokens.windows(2).map(|pair| pair[1].at_s - pair[0].at_s).collect();
            prop_assert_eq!(gaps, run.itl_s(number));
            prop_assert!(tokens.iter().rev().skip(1).all(|token| !token.last));
            prop_assert_eq!(tokens.last().map(|t| (t.at_s, t.last)), served.end_s.map(|end| (end, true)));
            prop_assert!(tokens.iter().all(|t| u64::from(t.cached_tokens) == served.cached_tokens));
        }
        let gauges = live.gauges();
        prop_assert_eq!(gauges.preemptions, run.preemptions);
        prop_assert_eq!((gauges.running, gauges.waiting, gauges.kv_usage), (0, 0, 0.0));
        prop_assert!(live.open.is_empty());
    }

    #[test]
    fn clients_that_leave_leave_nothing_behind(config in configs(), requests in requests(), every in 1_usize..5) {
        let mut live = server(&config).live().unwrap();
        let mut out = Vec::new();
        for (number, request) in requests.iter().enumerate() {
            out.extend(live.advance(request.start_s));
            let submitted = live.submit(request).unwrap();
            if number % every == 0 {
                live.abort(request.start_s + 1e-3, submitted);
            } else if number >= every {
                live.abort(request.start_s + 1e-3, submitted - 1);
            }
        }
        while let Some(next) = live.next_s() {
            out.extend(live.advance(next));
        }
        let gauges = live.gauges();
        prop_assert_eq!((gauges.running, gauges.waiting, gauges.kv_usage), (0, 0, 0.0));
        prop_assert_eq!(live.desk.free.len(), live.desk.places.len());
        for number in (0..requests.len()).step_by(every) {
            prop_assert!(of_request(&out, number).is_empty(), "it never reached the server");
        }
    }
}

#[test]
fn tables_stay_small_however_many_requests_come() {
    let config = EngineConfig {
        max_model_len: Some(2048),
        num_gpu_blocks_override: Some(200),
        ..EngineConfig::default()
    };
    let mut live = server(&config).live().unwrap();
    for number in 0..2000_u32 {
        let request = Request {
            start_s: f64::from(number),
            after: None,
            continues: false,
            priority: 0,
            prompt_tokens: 300,
            output_tokens: 5,
            block_ids: (0..18)
                .map(|block| u64::from(number) * 100 + block)
                .collect(),
            block_tokens: 16,
        };
        live.submit(&request).unwrap();
        assert_eq!(live.advance(f64::from(number) + 0.9).count(), 5);
    }
    let scheduler = &live.engine.scheduler;
    assert_eq!(scheduler.sequences.len(), 1);
    assert!(scheduler.keys.len() < 1000, "{}", scheduler.keys.len());
    assert!(scheduler.keys.count() < 1000, "{}", scheduler.keys.count());
    assert!(live.reset_prefix_cache());
}

#[test]
fn prefix_is_found_again_until_the_cache_is_reset() {
    let mut live = server(&EngineConfig::default()).live().unwrap();
    let cached = |live: &mut Live, start_s| {
        let request = Request {
            start_s,
            after: None,
            continues: false,
            priority: 0,
            prompt_tokens: 100,
            output_tokens: 2,
            block_ids: (0..6).collect(),
            block_tokens: 16,
        };
        live.submit(&request).unwrap();
        let first = live.advance(start_s + 0.5).next();
        first.unwrap().cached_tokens
    };
    assert_eq!(cached(&mut live, 0.0), 0);
    assert_eq!(cached(&mut live, 1.0), 96);
    assert!(live.reset_prefix_cache());
    assert_eq!(cached(&mut live, 2.0), 0);
    let gauges = live.gauges();
    assert_eq!((gauges.prefix_queries, gauges.prefix_hits), (300, 96));
}

#[test]
fn full_queue_and_prompt_that_does_not_fit_are_refused() {
    let config = EngineConfig {
        max_num_queued_reqs: Some(2),
        max_model_len: Some(1000),
        ..EngineConfig::default()
    };
    let mut live = server(&config).live().unwrap();
    let request = |prompt_tokens| Request {
        start_s: 0.0,
        after: None,
        continues: false,
        priority: 0,
        prompt_tokens,
        output_tokens: 3,
        block_ids: Vec::new(),
        block_tokens: 16,
    };
    assert_eq!(live.submit(&request(0)), None);
    assert_eq!(live.submit(&request(1000)), None);
    assert_eq!(live.submit(&request(10)), Some(0));
    assert_eq!(live.submit(&request(10)), Some(1));
    assert_eq!(live.submit(&request(10)), None, "two wait");
    assert_eq!(live.advance(1.0).count(), 6);
    assert_eq!(live.submit(&request(10)), Some(2));
}
