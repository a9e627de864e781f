use crate::scheduler::Scheduler;

/// KV blocks of requests.
impl Scheduler {
    /// Room for more tokens of a running request.
    pub(crate) fn grow(&mut self, request: u32, tokens: u32) -> bool {
        let size = self.limits.block_size;
        let sequence = &self.sequences[request as usize];
        let scheduled = sequence.computed + tokens;
        let ahead = scheduled + self.limits.lookahead;
        let end = ahead.min(self.limits.max_model_len).max(scheduled);
        let held = sequence.held;
        // Most tokens fall into a block that is held: no division for them.
        if end <= held * size {
            return true;
        }
        let needed = end.div_ceil(size) - held;
        if needed > self.pool.free() {
            return false;
        }
        self.take_blocks(request, needed);
        true
    }

    /// Takes blocks for a request; the pool has them.
    pub(crate) fn take_blocks(&mut self, request: u32, count: u32) {
        let sequence = &mut self.sequences[request as usize];
        if self.pool.is_counted() {
            self.pool.take_any(count);
            sequence.held += count;
            return;
        }
        let start = self.keys.start(request as usize);
        for _ in 0..count {
            let (block, uncovered) = self.pool.take();
            self.table[start + sequence.held as usize] = block;
            sequence.held += 1;
            if uncovered {
                self.refused = false;
            }
        }
    }

    /// Gives all blocks of a request back.
    pub(crate) fn release_blocks(&mut self, request: u32) {
        let sequence = &mut self.sequences[request as usize];
        let held = std::mem::take(&mut sequence.held);
        self.refused = false;
        if self.pool.is_counted() {
            self.pool.release_any(held);
            return;
        }
        let start = self.keys.start(request as usize);
        // The tail goes first, so that the start of a prompt stays cached longest.
        for block in (0..held as usize).rev() {
            self.pool.release(self.table[start + block]);
        }
    }

    /// Lets the blocks be found that are full of known tokens.
    pub(crate) fn remember_blocks(&mut self, request: u32, known: u32) {
        if self.pool.is_counted() {
            return;
        }
        let start = self.keys.start(request as usize);
        let sequence = &mut self.sequences[request as usize];
        while (sequence.remembered + 1) * self.limits.block_size <= known {
            let block = sequence.remembered as usize;
            let key = self.keys.key(request as usize, block);
            self.pool.remember(self.table[start + block], key);
            sequence.remembered += 1;
            if self.keys.is_shared(key) {
                self.refused = false;
            }
        }
    }
}
