use std::collections::VecDeque;

use crate::acceptance::Acceptance;
use crate::batch::{Batch, Entry, Share};
use crate::blocks::{BlockPool, NONE};
use crate::emitted::Emitted;
use crate::engine::Door;
use crate::prefix::BlockKeys;
use crate::queue_limits::Held;
use crate::sglang::Expectation;
use crate::state::{Phase, Sequence};
use crate::streams::Streams;
use crate::{EngineConfig, Request, SchedulerKind};

/// Limits of the scheduler, every default resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_num_seqs: usize,
    pub(crate) token_budget: u32,
    pub(crate) block_size: u32,
    /// Blocks, the null block left out.
    pub(crate) blocks: u32,
    /// Blocks kept free at admission while something runs.
    pub(crate) watermark_blocks: u32,
    /// Longest sequence served.
    pub(crate) max_model_len: u32,
    /// Drafts for each request and step.
    pub(crate) drafts: u32,
    /// Tokens that need a place in the cache besides those scheduled: the drafter's.
    pub(crate) lookahead: u32,
}

impl Limits {
    /// Tokens that a sequence of a length needs places for at most: behind the last one there may
    /// be drafts, of two steps in flight.
    pub(crate) fn places(&self, length: u32) -> u32 {
        (length + 2 * self.drafts + self.lookahead).min(self.max_model_len)
    }

    /// Whether all requests of these lengths that may run at once have room to the end, so that
    /// nobody is preempted.
    pub(crate) fn hold_all(&self, lengths: &[u32], at_once: usize) -> bool {
        let blocks = |length: &u32| u64::from(length.div_ceil(self.block_size));
        let mut blocks: Vec<u64> = lengths.iter().map(blocks).collect();
        let most = self.max_num_seqs.min(at_once);
        if most < blocks.len() {
            blocks.select_nth_unstable_by(most, |a, b| b.cmp(a));
            blocks.truncate(most);
        }
        blocks.iter().sum::<u64>() <= u64::from(self.blocks)
    }
}

/// How a scheduler goes through its requests. What comes out is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// One by one in every step, so that each token can be handed out.
    EachToken,
    /// Those that only decode are counted together.
    Streams,
}

/// Tokens that a step gave a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) tokens: u32,
    /// Whether the last one is the request's last.
    pub(crate) last: bool,
}

/// The scheduler of vLLM V1 (`scheduler.py`, `kv_cache_manager.py` of 0.33): running requests
/// first, in order of admission, then waiting ones, first come first served.
pub(crate) struct Scheduler {
    pub(crate) config: EngineConfig,
    pub(crate) limits: Limits,
    pub(crate) keys: BlockKeys,
    pub(crate) pool: BlockPool,
    pub(crate) sequences: Vec<Sequence>,
    pub(crate) running: Vec<u32>,
    pub(crate) waiting: VecDeque<u32>,
    /// Blocks of each request, at [`BlockKeys::start`].
    pub(crate) table: Vec<u32>,
    /// What SGLang expects of running requests.
    pub(crate) expectation: Expectation,
    acceptance: Acceptance,
    /// Tokens that came out in the attempt under way.
    pub(crate) emitted: Vec<Emitted>,
    pub(crate) pace: Pace,
    pub(crate) streams: Streams,
    /// Running requests that do not stream and have tokens to schedule, in order of admission.
    pub(crate) apart: Vec<u32>,
    /// The whole of the first waiting request does not fit, and nothing has happened since that
    /// could change it: no block was freed, and none that runs holds came to be found by others.
    pub(crate) refused: bool,
    /// Prompt tokens of requests without a first token.
    prefill_tokens: u64,
    /// Engines that step together: whether this is no step for prompts while something decodes.
    pub(crate) throttled: bool,
    /// Whether requests were left waiting by the last step for prompts: every step is one then.
    capacity_bound: bool,
    /// Steps scheduled, and those whose results are in.
    pub(crate) scheduled: u32,
    pub(crate) delivered: u32,
    pub(crate) admissions: u32,
    preemptions: u64,
    pub(crate) least_free: u32,
    /// Prompt tokens looked up in the prefix cache, and those found.
    pub(crate) prefix_queries: u64,
    pub(crate) prefix_hits: u64,
}

impl Scheduler {
    /// Without keys, blocks are only counted.
    pub(crate) fn new(
        config: &EngineConfig,
        limits: Limits,
        keys: Option<BlockKeys>,
        sequences: Vec<Sequence>,
        pace: Pace,
    ) -> Self {
        let count = sequences.len();
        let pool = match &keys {
            Some(keys) => BlockPool::new(limits.blocks, keys.count(), config.enable_prefix_caching)
                .with_unknown_first(config.version.reuses_unknown_blocks_first()),
            None => BlockPool::counted(limits.blocks),
        };
        let keys = keys.unwrap_or_else(|| BlockKeys::new(&[], &[], limits.block_size));
        Self {
            config: config.clone(),
            limits,
            pool,
            emitted: vec![Emitted::default(); count],
            sequences,
            pace,
            streams: Streams::new(limits.block_size),
            apart: Vec::new(),
            refused: false,
            prefill_tokens: 0,
            throttled: false,
            capacity_bound: false,
            scheduled: 0,
            delivered: 0,
            admissions: 0,
            running: Vec::with_capacity(count),
            waiting: VecDeque::with_capacity(count),
            table: vec![NONE; keys.len()],
            keys,
            acceptance: Acceptance::new(&config.speculative_acceptance),
            expectation: Expectation::new(config.schedule_conservativeness),
            preemptions: 0,
            least_free: limits.blocks,
            prefix_queries: 0,
            prefix_hits: 0,
        }
    }

    /// Makes a request known, in the place of one that has ended or behind all others.
    pub(crate) fn place(&mut self, place: u32, request: &Request, sequence: Sequence) {
        let length = self.limits.places(sequence.prompt + sequence.output);
        self.keys.place(place as usize, request, length);
        self.pool.know(self.keys.count());
        self.table.resize(self.keys.len(), NONE);
        match self.sequences.get_mut(place as usize) {
            Some(old) => *old = sequence,
            None => {
                self.sequences.push(sequence);
                self.emitted.push(Emitted::default());
            }
        }
    }

    /// Drops what other requests than these have left behind.
    pub(crate) fn keep(&mut self, requests: &[usize]) {
        let tables = requests.iter().map(|r| &self.table[self.keys.span(*r)]);
        self.table = tables.collect::<Vec<_>>().concat();
        let pool = &self.pool;
        self.keys.keep(requests, |key| pool.find(key).is_some());
    }

    pub(crate) fn preemptions(&self) -> u64 {
        self.preemptions
    }

    /// Peak share of the blocks in use.
    pub(crate) fn kv_peak(&self) -> f64 {
        self.pool.usage_at(self.least_free)
    }

    fn stop_running(&mut self, request: u32) {
        let sequences = &self.sequences;
        let admission = |request: &u32| sequences[*request as usize].admission;
        let found = self
            .running
            .binary_search_by_key(&admission(&request), admission);
        self.running
            .remove(found.expect("those that run stand in order of admission"));
    }

    /// Fills a batch for the next step. `executing` is the step before, when its results are not
    /// in.
    pub(crate) fn schedule(&mut self, now: f64, batch: &mut Batch, executing: Option<&mut Batch>) {
        batch.clear();
        match (self.config.scheduler, self.pace) {
            (SchedulerKind::Sglang, _) => self.schedule_prompts_first(now, batch),
            (SchedulerKind::Vllm | SchedulerKind::LlamaCpp, Pace::EachToken) => {
                self.schedule_decodes_first(now, batch);
            }
            (SchedulerKind::Vllm | SchedulerKind::LlamaCpp, Pace::Streams) => {
                self.schedule_streams(now, batch, executing);
            }
        }
        self.scheduled += u32::from(batch.load.sequences > 0);
        self.start_streams(batch);
        self.least_free = self.least_free.min(self.pool.free());
    }

    /// Looks at every request. A step that preempts admits nobody.
    pub(crate) fn schedule_decodes_first(&mut self, now: f64, batch: &mut Batch) {
        let mut budget = self.limits.token_budget;
        let defer = self.throttled && !self.capacity_bound && self.any_decodes();
        let preempted = self.schedule_running(defer, &mut budget, batch);
        if !preempted {
            self.schedule_waiting(now, defer, &mut budget, batch);
            if !defer {
                self.capacity_bound = !self.waiting.is_empty();
            }
        }
    }

    fn any_decodes(&self) -> bool {
        let mut running = self.running.iter();
        running.any(|request| self.sequences[*request as usize].decodes())
    }

    /// True: a request was preempted.
    fn schedule_running(&mut self, defer: bool, budget: &mut u32, batch: &mut Batch) -> bool {
        let mut preempted = false;
        let mut i = 0;
        while i < self.running.len() && *budget > 0 {
            let request = self.running[i];
            let sequence = self.sequences[request as usize];
            let tokens = self.new_tokens(&sequence, sequence.computed).min(*budget);
            let deferred = defer && !sequence.decodes();
            if deferred
                || sequence.last_in_flight()
                || tokens == 0
                || self.is_in_pipeline(&sequence)
            {
                i += 1;
                continue;
            }
            while !self.grow(request, tokens) {
                preempted = true;
                let place = self.next_victim();
                let victim = self.preempt(place);
                self.requeue(victim);
                if victim == request {
                    return true;
                }
                if place < i {
                    *budget += batch.remove(victim);
                    i -= 1;
                }
            }
            self.commit(request, tokens, batch);
            *budget -= tokens;
            i += 1;
        }
        preempted
    }

    /// Whether a request's token comes too late for this step: with several stages each request
    /// decodes once in as many steps, and where results are awaited not before they are in.
    fn is_in_pipeline(&self, sequence: &Sequence) -> bool {
        let stages = self.config.pipeline_parallel_size;
        let awaited = !self.config.async_scheduling;
        let too_early = awaited || self.scheduled - sequence.sampled_in < stages;
        stages > 1 && sequence.placeholders > 0 && too_early
    }

    /// Tokens that a request wants in this step.
    pub(crate) fn new_tokens(&self, sequence: &Sequence, computed: u32) -> u32 {
        let threshold = self.config.long_prefill_token_threshold;
        let alone = self.running.len() + self.waiting.len() == 1;
        let wanted = sequence.target() - computed + self.drafts(sequence);
        let spared = alone && !self.config.version.limits_chunks_of_the_only_request();
        if threshold > 0 && !spared {
            wanted.min(threshold)
        } else {
            wanted
        }
    }

    /// Drafts that a request has for its next step.
    fn drafts(&self, sequence: &Sequence) -> u32 {
        if self.limits.drafts == 0 || !sequence.decodes() {
            return 0;
        }
        // The last place of the model's context is for a token that is not fed back.
        let room = self
            .limits
            .max_model_len
            .saturating_sub(2 + sequence.computed);
        self.limits.drafts.min(room)
    }

    /// Takes a running request's blocks away; the caller queues it again.
    pub(crate) fn preempt(&mut self, place: usize) -> u32 {
        let victim = self.running.remove(place);
        self.release_blocks(victim);
        let sequence = &mut self.sequences[victim as usize];
        sequence.phase = Phase::Waiting;
        sequence.computed = 0;
        sequence.placeholders = 0;
        sequence.drafts = 0;
        sequence.epoch += 1;
        sequence.preemptions += 1;
        self.preemptions += 1;
        victim
    }

    /// Puts a request into the batch: what it computes counts as computed from now on.
    pub(crate) fn commit(&mut self, request: u32, tokens: u32, batch: &mut Batch) {
        let sequence = &mut self.sequences[request as usize];
        let decode = sequence.decodes();
        let before = sequence.computed;
        let drafts = if decode { tokens - 1 } else { 0 };
        sequence.computed += tokens;
        let samples = sequence.computed == sequence.target() + drafts;
        sequence.placeholders += u32::from(samples) + drafts;
        sequence.drafts += drafts;
        if samples {
            sequence.sampled_in = self.scheduled;
        }
        let known = sequence.computed.min(sequence.known());
        self.remember_blocks(request, known);
        let sequence = &self.sequences[request as usize];
        let entry = Entry {
            request,
            admission: sequence.admission,
            attempt: sequence.attempt,
            epoch: sequence.epoch,
            samples,
            drafts,
            share: Share {
                computed: before,
                tokens,
                decode,
            },
        };
        batch.add(entry);
    }

    /// The results of the oldest step are in; its number.
    pub(crate) fn results_come(&mut self) -> u32 {
        let step = self.delivered;
        self.delivered += 1;
        self.streams.end_before(self.delivered);
        step
    }

    /// Takes the tokens of a step whose results are in. None: they were not for anybody.
    pub(crate) fn deliver(&mut self, entry: &Entry, step: u32) -> Option<Delivery> {
        let request = entry.request;
        let sequence = &mut self.sequences[request as usize];
        let current = sequence.phase != Phase::Away && sequence.attempt == entry.attempt;
        if !entry.samples || !current {
            return None;
        }
        let accepted = self
            .acceptance
            .accepted(sequence.number, sequence.generated, entry.drafts);
        if sequence.generated == 0 {
            self.prefill_tokens -= u64::from(sequence.prompt);
        }
        let tokens = (1 + accepted).min(sequence.output - sequence.generated);
        sequence.generated += tokens;
        for _ in 0..tokens {
            self.emitted[request as usize].extend(step..step + 1);
        }
        if sequence.phase == Phase::Waiting {
            self.refused = false;
        }
        // A token computed before a preemption is delivered, and leaves the new count alone.
        if sequence.epoch == entry.epoch {
            sequence.placeholders -= 1 + entry.drafts;
            sequence.drafts -= entry.drafts;
            sequence.computed -= entry.drafts - accepted;
        }
        let last = sequence.generated >= sequence.output;
        if last {
            self.abort(request);
        }
        Some(Delivery { tokens, last })
    }
}

impl Door for Scheduler {
    /// Queues a new attempt of a request.
    fn receive(&mut self, request: u32, attempt: u32, now: f64) {
        let sequence = &mut self.sequences[request as usize];
        *sequence = Sequence {
            phase: Phase::Waiting,
            attempt,
            epoch: sequence.epoch + 1,
            preemptions: sequence.preemptions,
            number: sequence.number,
            priority: sequence.priority,
            received_s: now,
            ..Sequence::new(sequence.prompt, sequence.output)
        };
        self.emitted[request as usize] = Emitted::default();
        self.prefill_tokens += u64::from(sequence.prompt);
        self.enqueue(request);
        self.refused = false;
    }

    /// Drops a request, wherever it is.
    fn abort(&mut self, request: u32) {
        match self.sequences[request as usize].phase {
            Phase::Away => return,
            Phase::Waiting => self.waiting.retain(|r| *r != request),
            Phase::Running => {
                self.end_stream(request);
                self.apart.retain(|r| *r != request);
                self.stop_running(request);
            }
        }
        self.release_blocks(request);
        let sequence = &mut self.sequences[request as usize];
        sequence.phase = Phase::Away;
        sequence.epoch += 1;
        if sequence.generated == 0 {
            self.prefill_tokens -= u64::from(sequence.prompt);
        }
    }

    fn held(&self) -> Held {
        Held {
            waiting: self.waiting.len(),
            running: self.running.len(),
            prefill_tokens: self.prefill_tokens,
        }
    }

    fn sequence(&self, request: u32) -> &Sequence {
        &self.sequences[request as usize]
    }

    fn emitted(&mut self, request: u32) -> &mut Emitted {
        &mut self.emitted[request as usize]
    }
}

#[cfg(test)]
mod tests;
