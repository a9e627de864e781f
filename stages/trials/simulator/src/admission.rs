use crate::batch::Batch;
use crate::scheduler::{Pace, Scheduler};
use crate::state::Phase;

/// A waiting request that is let in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admission {
    pub(crate) request: u32,
    /// Blocks found in the cache.
    pub(crate) hits: u32,
    pub(crate) now: f64,
}

/// The second half of a schedule: waiting requests.
impl Scheduler {
    /// Admits waiting requests, in the order of the queue: the first that does not fit ends it.
    /// With `defer` none is, but what is all cached.
    pub(crate) fn schedule_waiting(
        &mut self,
        now: f64,
        defer: bool,
        budget: &mut u32,
        batch: &mut Batch,
    ) {
        while *budget > 0 && self.running.len() < self.limits.max_num_seqs {
            let Some(&request) = self.waiting.front() else {
                return;
            };
            if self.refused {
                return;
            }
            let hits = self.cached_blocks(request);
            let found = hits * self.limits.block_size;
            let sequence = self.sequences[request as usize];
            if defer && found + 1 < sequence.target() {
                return;
            }
            let tokens = self.new_tokens(&sequence, found);
            if !self.config.enable_chunked_prefill && tokens > *budget {
                return;
            }
            let tokens = tokens.min(*budget);
            if !self.admit(request, hits, tokens) {
                return;
            }
            self.enter(Admission { request, hits, now });
            self.commit(request, tokens, batch);
            *budget -= tokens;
        }
    }

    /// Moves the first waiting request to the running ones.
    pub(crate) fn enter(&mut self, admission: Admission) {
        let Admission { request, hits, now } = admission;
        let found = hits * self.limits.block_size;
        self.waiting.pop_front();
        self.running.push(request);
        if self.pace == Pace::Streams {
            self.apart.push(request);
        }
        self.admissions += 1;
        let sequence = &mut self.sequences[request as usize];
        sequence.phase = Phase::Running;
        sequence.admission = self.admissions;
        sequence.computed = found;
        if sequence.scheduled_s.is_nan() {
            sequence.scheduled_s = now;
            sequence.cached = found.min(sequence.prompt);
            if self.config.enable_prefix_caching {
                self.prefix_queries += u64::from(sequence.prompt);
                self.prefix_hits += u64::from(sequence.cached);
            }
        }
    }

    /// Blocks at the start of a waiting request whose content is cached; at least the last token
    /// is always computed.
    pub(crate) fn cached_blocks(&self, request: u32) -> u32 {
        if !self.config.enable_prefix_caching || self.pool.is_counted() {
            return 0;
        }
        let most = (self.sequences[request as usize].target() - 1) / self.limits.block_size;
        let cached = (0..most).take_while(|block| {
            self.pool
                .find(self.keys.key(request as usize, *block as usize))
                .is_some()
        });
        cached.count() as u32
    }

    /// Room for a waiting request; cached blocks that nobody uses leave the free list as well.
    pub(crate) fn admit(&mut self, request: u32, hits: u32, tokens: u32) -> bool {
        let sequence = self.sequences[request as usize];
        let size = self.limits.block_size;
        let revived = (0..hits).filter(|block| {
            let key = self.keys.key(request as usize, *block as usize);
            self.pool
                .find(key)
                .is_some_and(|block| self.pool.is_free(block))
        });
        let revived = revived.count() as u32;
        let reserve = if self.running.is_empty() {
            0
        } else {
            self.limits.watermark_blocks
        };
        let fits = |tokens: u32| {
            let needed = tokens.div_ceil(size).saturating_sub(hits);
            needed + revived + reserve <= self.pool.free()
        };
        if self.config.scheduler_reserve_full_isl && !fits(sequence.target()) {
            self.refused = self.pace == Pace::Streams;
            return false;
        }
        if !fits(hits * size + tokens) {
            return false;
        }
        for block in 0..hits as usize {
            let start = self.keys.start(request as usize);
            let key = self.keys.key(request as usize, block);
            let found = self.pool.find(key).expect("looked up in this step");
            self.pool.share(found);
            self.table[start + block] = found;
        }
        let sequence = &mut self.sequences[request as usize];
        sequence.held = hits;
        sequence.remembered = hits;
        let needed = (hits * size + tokens).div_ceil(size) - hits;
        self.take_blocks(request, needed);
        true
    }
}
