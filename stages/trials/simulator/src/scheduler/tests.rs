//! Laws of the scheduler, checked after every step of a small server.

use proptest::prelude::*;

use super::*;
use crate::{Request, SchedulingPolicy, VllmVersion};

/// A request as the tests draw it.
#[derive(Debug, Clone)]
struct Asked {
    arrives: usize,
    prompt: u32,
    output: u32,
    /// Requests of one group share the start of their prompts.
    group: u64,
    /// The client gives up at this step.
    aborted: Option<usize>,
}

const BLOCKS: u32 = 40;
const LIMITS: Limits = Limits {
    max_num_seqs: 5,
    token_budget: 64,
    block_size: 16,
    blocks: BLOCKS,
    watermark_blocks: 0,
    max_model_len: 600,
    drafts: 0,
    lookahead: 0,
};

fn asked() -> impl Strategy<Value = Vec<Asked>> {
    let aborted = prop::option::weighted(0.2, 0_usize..200);
    let one = (0_usize..60, 1_u32..300, 1_u32..200, 0_u64..3, aborted);
    prop::collection::vec(one, 1..25).prop_map(|rows| {
        let row = |(arrives, prompt, output, group, aborted)| Asked {
            arrives,
            prompt,
            output,
            group,
            aborted,
        };
        let mut asked: Vec<Asked> = rows.into_iter().map(row).collect();
        asked.sort_by_key(|asked| asked.arrives);
        asked
    })
}

fn configs() -> impl Strategy<Value = EngineConfig> {
    let switches = prop::array::uniform4(any::<bool>());
    let policies = prop_oneof![
        Just(SchedulingPolicy::Fcfs),
        Just(SchedulingPolicy::Priority)
    ];
    let drafts = prop_oneof![Just(0_u32), 1_u32..6];
    (switches, policies, 0_u32..80, drafts, 1_u32..4).prop_map(
        |([caching, asynchronous, reserve, old], policy, threshold, drafts, stages)| EngineConfig {
            version: if old {
                VllmVersion::V0_19
            } else {
                VllmVersion::V0_33
            },
            scheduling_policy: policy,
            pipeline_parallel_size: stages,
            num_speculative_tokens: drafts,
            speculative_acceptance: vec![0.8, 0.4],
            enable_prefix_caching: caching,
            async_scheduling: asynchronous,
            scheduler_reserve_full_isl: reserve,
            long_prefill_token_threshold: threshold,
            ..EngineConfig::default()
        },
    )
}

/// A scheduler with its steps counted, and what a request has had of it.
struct Watched {
    scheduler: Scheduler,
    in_flight: VecDeque<Batch>,
    depth: usize,
    steps: usize,
    /// Sum over steps of the requests in the server.
    present: usize,
    /// Steps of each request's arrival and departure.
    stay: Vec<(usize, Option<usize>)>,
    first_scheduled: Vec<u32>,
}

impl Watched {
    /// True: there was something to do.
    fn step(&mut self) -> bool {
        let running = self.scheduler.running.clone();
        let preemptions = self.scheduler.preemptions;
        let mut batch = Batch::default();
        self.scheduler.schedule(self.steps as f64, &mut batch, None);
        self.steps += 1;
        self.present += self.scheduler.running.len() + self.scheduler.waiting.len();
        self.check_limits(&batch);
        self.check_blocks();
        if self.scheduler.preemptions > preemptions {
            let old = batch.entries.iter().all(|e| running.contains(&e.request));
            assert!(old, "nobody is admitted in a step that preempts");
        }
        for entry in &batch.entries {
            if !self.first_scheduled.contains(&entry.request) {
                self.first_scheduled.push(entry.request);
                let sequences = &self.scheduler.sequences;
                let mut waiting = self.scheduler.waiting.iter();
                let first = waiting.all(|r| sequences[*r as usize].preemptions == 0);
                assert!(first, "the preempted go before the new");
            }
        }
        let busy = !batch.entries.is_empty();
        if busy {
            self.in_flight.push_back(batch);
        }
        busy
    }

    fn check_limits(&self, batch: &Batch) {
        let limits = &self.scheduler.limits;
        assert!(batch.load.tokens <= limits.token_budget);
        assert!(self.scheduler.running.len() <= LIMITS.max_num_seqs);
        let mut requests: Vec<u32> = batch.entries.iter().map(|e| e.request).collect();
        requests.sort_unstable();
        requests.dedup();
        assert_eq!(requests.len(), batch.entries.len(), "once a step");
    }

    /// Blocks held and blocks free are all blocks; only running requests hold any.
    fn check_blocks(&self) {
        let mut held: Vec<u32> = Vec::new();
        for (request, sequence) in self.scheduler.sequences.iter().enumerate() {
            assert!(sequence.held == 0 || sequence.phase == Phase::Running);
            let needed = sequence.computed.div_ceil(LIMITS.block_size);
            assert!(sequence.phase != Phase::Running || sequence.held >= needed);
            let start = self.scheduler.keys.start(request);
            held.extend(&self.scheduler.table[start..start + sequence.held as usize]);
        }
        held.sort_unstable();
        held.dedup();
        assert_eq!(held.len() as u32 + self.scheduler.pool.free(), BLOCKS);
    }

    fn finish(&mut self) {
        let Some(batch) = self.in_flight.pop_front() else {
            return;
        };
        let step = self.scheduler.results_come();
        for entry in &batch.entries {
            let delivery = self.scheduler.deliver(entry, step);
            if delivery.is_some_and(|delivery| delivery.last) {
                self.leaves(entry.request);
            }
        }
    }

    fn abort(&mut self, request: u32) {
        if self.scheduler.sequences[request as usize].phase != Phase::Away {
            self.scheduler.abort(request);
            self.leaves(request);
        }
    }

    fn leaves(&mut self, request: u32) {
        let departure = &mut self.stay[request as usize].1;
        assert_eq!(departure.replace(self.steps), None, "leaves once");
    }
}

/// Serves everything, with the laws of a step checked after each, and hands the end over.
fn serve(config: &EngineConfig, asked: &[Asked], check: impl FnOnce(&Watched)) {
    let requests: Vec<Request> = asked
        .iter()
        .map(|asked| Request {
            start_s: 0.0,
            after: None,
            continues: false,
            priority: 0,
            prompt_tokens: asked.prompt,
            output_tokens: asked.output,
            block_ids: (0..6).map(|block| asked.group * 100 + block).collect(),
            block_tokens: 16,
        })
        .collect();
    let limits = Limits {
        drafts: config.num_speculative_tokens,
        ..LIMITS
    };
    let length = |asked: &Asked| limits.places(asked.prompt + asked.output);
    let lengths: Vec<u32> = asked.iter().map(length).collect();
    let keys = BlockKeys::new(&requests, &lengths, LIMITS.block_size);
    let sequences = asked.iter().map(|a| Sequence::new(a.prompt, a.output));
    let mut watched = Watched {
        scheduler: Scheduler::new(
            config,
            limits,
            Some(keys),
            sequences.collect(),
            Pace::EachToken,
        ),
        in_flight: VecDeque::new(),
        depth: config.pipeline_parallel_size as usize + usize::from(config.async_scheduling),
        steps: 0,
        present: 0,
        stay: vec![(0, None); asked.len()],
        first_scheduled: Vec::new(),
    };
    let mut now = 0;
    while watched
        .stay
        .iter()
        .any(|(_, departure)| departure.is_none())
    {
        for (request, asked) in asked.iter().enumerate() {
            if asked.arrives == now {
                watched.stay[request].0 = watched.steps;
                watched.scheduler.receive(request as u32, 1, now as f64);
            }
            if asked
                .aborted
                .is_some_and(|after| asked.arrives + after == now)
            {
                watched.abort(request as u32);
            }
        }
        if !watched.step() || watched.in_flight.len() == watched.depth {
            watched.finish();
        }
        now += 1;
        assert!(now < 20_000, "nobody starves");
    }
    while !watched.in_flight.is_empty() {
        watched.finish();
    }
    check(&watched);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn limits_and_blocks_are_kept_in_every_step(config in configs(), asked in asked()) {
        serve(&config, &asked, |end| {
            assert_eq!(end.scheduler.pool.free(), BLOCKS, "every block came back");
            for (asked, sequence) in asked.iter().zip(&end.scheduler.sequences) {
                assert!(asked.aborted.is_some() || sequence.generated == asked.output);
            }
        });
    }

    #[test]
    fn admission_is_first_come_first_served(config in configs(), asked in asked()) {
        serve(&config, &asked, |end| assert!(end.first_scheduled.is_sorted()));
    }

    /// Little's law, L = λ W, from two independent counts: the server's own lists summed over
    /// steps, and each request's stay.
    #[test]
    fn requests_present_are_arrivals_times_stay(config in configs(), asked in asked()) {
        serve(&config, &asked, |end| {
            let stays = end.stay.iter().map(|(from, to)| to.unwrap() - from);
            assert_eq!(stays.sum::<usize>(), end.present);
        });
    }
}

#[test]
fn asynchronous_scheduling_starts_no_step_after_the_last_token() {
    let config = EngineConfig::default();
    let lone = [Asked {
        arrives: 0,
        prompt: 10,
        output: 5,
        group: 0,
        aborted: None,
    }];
    serve(&config, &lone, |end| {
        assert_eq!(end.scheduler.sequences[0].computed, 10 + 5 - 1);
    });
}
