//! Streams against a look at every request in every step: equal to the last bit.

use proptest::prelude::*;

use crate::scheduler::Pace;
use crate::{
    Client, EngineConfig, Gpu, Model, Request, Run, SchedulingPolicy, Server, StepSource,
    VllmVersion,
};

fn server(config: &EngineConfig) -> Server {
    let model = Model::named("llama-3.1-8b").unwrap();
    let gpu = Gpu::named("l40s").unwrap();
    Server::launch(config, model, gpu, 2, &StepSource::default()).unwrap()
}

fn configs() -> impl Strategy<Value = EngineConfig> {
    let switches = prop::array::uniform7(any::<bool>());
    let blocks = prop_oneof![130_u32..260, 260_u32..3000];
    let threshold = prop_oneof![Just(0_u32), 1_u32..200];
    let queued = (
        prop::option::weighted(0.3, 0_u32..30),
        prop::option::weighted(0.3, 0_u64..3000),
    );
    let sizes = (1_u32..40, 40_u32..600, 0.0..0.2_f64);
    (switches, blocks, threshold, queued, sizes).prop_map(
        |(
            [
                caching,
                asynchronous,
                reserve,
                wide,
                chunked,
                old,
                by_priority,
            ],
            blocks,
            threshold,
            queued,
            (seqs, budget, watermark),
        )| EngineConfig {
            enable_prefix_caching: caching,
            async_scheduling: asynchronous,
            scheduler_reserve_full_isl: reserve,
            enable_chunked_prefill: chunked,
            tensor_parallel_size: if wide { 2 } else { 1 },
            max_num_seqs: Some(seqs),
            max_num_batched_tokens: Some(if chunked { budget } else { 2048 + budget }),
            max_model_len: Some(2048),
            long_prefill_token_threshold: threshold,
            num_gpu_blocks_override: Some(blocks),
            max_num_queued_reqs: queued.0,
            max_num_queued_tokens: queued.1,
            version: if old {
                VllmVersion::V0_19
            } else {
                VllmVersion::V0_33
            },
            scheduling_policy: if by_priority {
                SchedulingPolicy::Priority
            } else {
                SchedulingPolicy::Fcfs
            },
            watermark,
            ..EngineConfig::default()
        },
    )
}

/// A request as the tests draw it.
#[derive(Debug, Clone, Copy)]
struct Asked {
    prompt: u32,
    output: u32,
    tick: u32,
    /// Requests of one group share their first blocks.
    group: u64,
    shared: u64,
    /// How far before it the turn stands that it follows.
    back: Option<usize>,
    continues: bool,
    priority: i32,
}

impl Asked {
    /// Ids of blocks are chained, as [`Request`] says.
    fn request(self, index: usize) -> Request {
        let own = 1000 * (index as u64 + 10);
        let start = |block| {
            if block < self.shared {
                self.group * 100
            } else {
                own
            }
        };
        let ids = (0..70).map(|block| start(block) + block);
        Request {
            start_s: f64::from(self.tick) * 0.05,
            after: self
                .back
                .filter(|back| *back < index)
                .map(|back| index - back - 1),
            continues: self.continues,
            priority: self.priority,
            prompt_tokens: self.prompt,
            output_tokens: self.output,
            block_ids: if self.group == 0 {
                Vec::new()
            } else {
                ids.collect()
            },
            block_tokens: if self.group.is_multiple_of(2) { 16 } else { 24 },
        }
    }
}

/// Sessions, equal starts, equal times.
fn requests() -> impl Strategy<Value = Vec<Request>> {
    let lengths = (1_u32..900, prop_oneof![1_u32..4, 1_u32..300]);
    let sharing = (0_u64..6, 0_u64..60);
    let turn = (prop::option::weighted(0.3, 0_usize..8), any::<bool>());
    let one = (lengths, 0_u32..60, sharing, turn, -1_i32..2);
    let one = one.prop_map(
        |((prompt, output), tick, (group, shared), (back, continues), priority)| Asked {
            prompt,
            output,
            tick,
            group,
            shared,
            back,
            continues,
            priority,
        },
    );
    prop::collection::vec(one, 1..60).prop_map(|asked| {
        let asked = asked.into_iter().enumerate();
        asked.map(|(index, asked)| asked.request(index)).collect()
    })
}

fn clients() -> impl Strategy<Value = Client> {
    let limits = (
        prop::option::of(1_u64..12),
        prop::option::of(0.002..6.0_f64),
    );
    (limits, 0_u64..3, 0.0..0.3_f64).prop_map(|((max_in_flight, timeout_s), retries, backoff_s)| {
        Client {
            max_in_flight,
            timeout_s,
            retries,
            backoff_s,
        }
    })
}

fn both(config: &EngineConfig, requests: &[Request], client: &Client) -> (Run, Run) {
    let server = server(config);
    (
        server.simulate(requests, client),
        server.simulate_at(Pace::EachToken, &[], requests, *client),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn streams_give_what_a_look_at_every_request_gives(config in configs(), requests in requests(), client in clients()) {
        let (streams, each) = both(&config, &requests, &client);
        // NaN is never written: equal values are equal bits but for the sign of zero.
        prop_assert_eq!(streams, each);
    }

    /// All at once and the cache too small: preemption after preemption.
    #[test]
    fn starved_streams_are_the_same(config in configs(), mut requests in requests()) {
        for request in &mut requests {
            request.start_s = 0.0;
            request.output_tokens += 100;
        }
        let config = EngineConfig { num_gpu_blocks_override: Some(130), ..config };
        let (streams, each) = both(&config, &requests, &Client::default());
        prop_assert_eq!(streams, each);
    }
}
