use crate::admission::Admission;
use crate::batch::Batch;
use crate::scheduler::Scheduler;

/// New tokens of a request that are counted against the cache at most (`CLIP_MAX_NEW_TOKENS`).
const CLIPPED_OUTPUT: u32 = 4096;
/// Share of their outputs that running requests are expected to need, at the start and at the
/// least, and the steps from one to the other.
const FIRST_RATIO: f64 = 0.7;
const LEAST_OF_FIRST: f64 = 0.14;
const DECAY_STEPS: f64 = 600.0;
/// Steps that a retraction leaves room for.
const RETRACTED_STEPS: u32 = 20;

/// What SGLang remembers from step to step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expectation {
    first: f64,
    ratio: f64,
}

impl Expectation {
    pub(crate) fn new(conservativeness: f64) -> Self {
        let first = (FIRST_RATIO * conservativeness).min(1.0);
        Self {
            first,
            ratio: first,
        }
    }

    fn decay(&mut self) {
        let least = self.first * LEAST_OF_FIRST;
        self.ratio = (self.ratio - (self.first - least) / DECAY_STEPS).max(least);
    }
}

/// SGLang's order (`scheduler.py` and `schedule_policy.py` of 0.5.23): a step computes prompts when
/// one can be admitted, and decodes otherwise. Room is counted in what running requests are
/// expected to need; when that was too little, requests are retracted.
impl Scheduler {
    /// Fills a batch for the next step.
    pub(crate) fn schedule_prompts_first(&mut self, now: f64, batch: &mut Batch) {
        let mut budget = self.limits.token_budget;
        self.continue_prompt(&mut budget, batch);
        self.admit_prompts(now, &mut budget, batch);
        if batch.entries.is_empty() || self.config.enable_mixed_chunk {
            self.retract();
            self.decode_all(batch);
        }
    }

    /// One prompt at a time is computed in several steps: the last that was admitted.
    fn continue_prompt(&mut self, budget: &mut u32, batch: &mut Batch) {
        let Some(&request) = self.running.last() else {
            return;
        };
        let sequence = self.sequences[request as usize];
        let left = sequence.target() - sequence.computed;
        if sequence.decodes() || left == 0 || sequence.last_in_flight() {
            return;
        }
        let tokens = left.min(*budget);
        if self.grow(request, tokens) {
            self.commit(request, tokens, batch);
            *budget -= tokens;
        }
    }

    fn admit_prompts(&mut self, now: f64, budget: &mut u32, batch: &mut Batch) {
        let size = self.limits.block_size;
        let mut room = f64::from(self.pool.free() * size) - self.expected_tokens();
        let mut input = self.config.max_prefill_tokens;
        while *budget > 0 && self.running.len() < self.limits.max_num_seqs {
            let Some(&request) = self.waiting.front() else {
                return;
            };
            let hits = self.cached_blocks(request);
            let sequence = self.sequences[request as usize];
            let prompt = sequence.target() - hits * size;
            let output = (sequence.output - sequence.generated).min(CLIPPED_OUTPUT);
            let whole = f64::from(prompt + output);
            if whole >= room && !self.running.is_empty() {
                return;
            }
            if prompt >= input && !batch.entries.is_empty() {
                return;
            }
            let tokens = if prompt > *budget {
                *budget / size * size
            } else {
                prompt
            };
            if tokens == 0 || !self.admit(request, hits, tokens) {
                return;
            }
            self.enter(Admission { request, hits, now });
            self.commit(request, tokens, batch);
            *budget -= tokens;
            input = input.saturating_sub(tokens);
            room -= whole;
            if tokens < prompt {
                return;
            }
        }
    }

    /// Tokens that running requests are expected to add to the cache.
    fn expected_tokens(&self) -> f64 {
        let left = self.running.iter().map(|request| {
            let sequence = &self.sequences[*request as usize];
            let known = sequence.generated + sequence.placeholders;
            sequence.output.saturating_sub(known).min(CLIPPED_OUTPUT)
        });
        f64::from(left.sum::<u32>()) * self.expectation.ratio
    }

    /// Takes requests out until the others can decode: those with the shortest outputs, of these
    /// the longest prompts.
    fn retract(&mut self) {
        let mut retracted = false;
        while self.blocks_to_decode() > self.pool.free() && self.running.len() > 1 {
            let place = (0..self.running.len()).min_by_key(|place| {
                let sequence = &self.sequences[self.running[*place] as usize];
                (sequence.generated, std::cmp::Reverse(sequence.prompt))
            });
            let Some(place) = place else { return };
            let victim = self.preempt(place);
            self.waiting.push_back(victim);
            retracted = true;
        }
        if retracted {
            self.expectation.ratio = self.observed_ratio();
        } else {
            self.expectation.decay();
        }
    }

    fn observed_ratio(&self) -> f64 {
        let running = || self.running.iter().map(|r| &self.sequences[*r as usize]);
        let done: u32 = running().map(|s| s.generated + RETRACTED_STEPS).sum();
        let all: u32 = running().map(|s| s.output).sum();
        (f64::from(done) / f64::from(all.max(1))).min(1.0)
    }

    fn blocks_to_decode(&self) -> u32 {
        let size = self.limits.block_size;
        let full = self.running.iter().filter(|request| {
            let sequence = &self.sequences[**request as usize];
            sequence.decodes()
                && !sequence.last_in_flight()
                && sequence.computed == sequence.held * size
        });
        full.count() as u32
    }

    fn decode_all(&mut self, batch: &mut Batch) {
        for i in 0..self.running.len() {
            let request = self.running[i];
            let sequence = self.sequences[request as usize];
            if sequence.decodes() && !sequence.last_in_flight() && self.grow(request, 1) {
                self.commit(request, 1, batch);
            }
        }
    }
}
