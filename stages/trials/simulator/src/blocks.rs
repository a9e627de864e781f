/// No block, no content.
pub(crate) const NONE: u32 = u32::MAX;

/// Anchors of the two parts of the free list: blocks never used so far stand between them.
const FRONT: u32 = 0;
const BACK: u32 = 1;

/// The KV blocks: a free list in order of last use, and which blocks hold which content.
///
/// Follows `block_pool.py` of vLLM 0.33: a block is taken from the front of the list and loses its
/// content then; a freed block goes to the back when its content is known, to the front when not
/// (to the back as well up to 0.19).
/// Equal contents are not merged: of the blocks that hold one, the first known is found.
pub(crate) struct BlockPool {
    /// Neighbours in the free list: the anchors, then the blocks used so far.
    next: Vec<u32>,
    previous: Vec<u32>,
    references: Vec<u32>,
    content: Vec<u32>,
    /// First and last block of each content, and the chain between them by block.
    first: Vec<u32>,
    last: Vec<u32>,
    older: Vec<u32>,
    newer: Vec<u32>,
    free: u32,
    usable: u32,
    caching: bool,
    unknown_first: bool,
    counted: bool,
}

impl BlockPool {
    /// A pool of `usable` blocks for contents numbered below `contents`.
    pub(crate) fn new(usable: u32, contents: usize, caching: bool) -> Self {
        Self {
            next: vec![FRONT, BACK],
            previous: vec![FRONT, BACK],
            references: Vec::new(),
            content: Vec::new(),
            first: vec![NONE; contents],
            last: vec![NONE; contents],
            older: Vec::new(),
            newer: Vec::new(),
            free: usable,
            usable,
            caching,
            unknown_first: true,
            counted: false,
        }
    }

    /// A pool that knows how many blocks are in use, not which.
    pub(crate) fn counted(usable: u32) -> Self {
        Self {
            counted: true,
            ..Self::new(usable, 0, false)
        }
    }

    /// Whether a freed block of unknown content is the next to be taken.
    pub(crate) fn with_unknown_first(self, unknown_first: bool) -> Self {
        Self {
            unknown_first,
            ..self
        }
    }

    pub(crate) fn is_counted(&self) -> bool {
        self.counted
    }

    /// Takes blocks of a counted pool.
    pub(crate) fn take_any(&mut self, count: u32) {
        self.free -= count;
    }

    /// Gives blocks of a counted pool back.
    pub(crate) fn release_any(&mut self, count: u32) {
        self.free += count;
    }

    /// Blocks that nobody uses.
    pub(crate) fn free(&self) -> u32 {
        self.free
    }

    /// Share of the blocks in use.
    pub(crate) fn usage(&self) -> f64 {
        self.usage_at(self.free)
    }

    /// Share of the blocks in use when so many are free.
    pub(crate) fn usage_at(&self, free: u32) -> f64 {
        1.0 - f64::from(free) / f64::from(self.usable)
    }

    /// Block that holds a content, if any.
    pub(crate) fn find(&self, content: u32) -> Option<u32> {
        let block = self.first[content as usize];
        (block != NONE).then_some(block)
    }

    /// Whether nobody uses the block: it would leave the free list when used.
    pub(crate) fn is_free(&self, block: u32) -> bool {
        self.references[block as usize] == 0
    }

    /// Uses a block that holds what is wanted.
    pub(crate) fn share(&mut self, block: u32) {
        if self.is_free(block) {
            self.unlink(block);
        }
        self.references[block as usize] += 1;
    }

    /// Takes the block that was not used for the longest time. True: what it held is found in
    /// another block now.
    pub(crate) fn take(&mut self) -> (u32, bool) {
        debug_assert!(self.free > 0, "callers ask for what is free");
        let front = self.next[FRONT as usize];
        if front == FRONT && (self.references.len() as u32) < self.usable {
            return (self.take_unused(), false);
        }
        let node = if front == FRONT {
            self.next[BACK as usize]
        } else {
            front
        };
        let block = node - 2;
        self.unlink(block);
        self.references[block as usize] = 1;
        (block, self.forget(block))
    }

    fn take_unused(&mut self) -> u32 {
        let block = self.references.len() as u32;
        self.references.push(1);
        for of_block in [&mut self.content, &mut self.older, &mut self.newer] {
            of_block.push(NONE);
        }
        for neighbours in [&mut self.next, &mut self.previous] {
            neighbours.push(NONE);
        }
        self.free -= 1;
        block
    }

    /// Says what a full block holds.
    pub(crate) fn remember(&mut self, block: u32, content: u32) {
        if !self.caching {
            return;
        }
        let tail = std::mem::replace(&mut self.last[content as usize], block);
        self.content[block as usize] = content;
        self.older[block as usize] = tail;
        self.newer[block as usize] = NONE;
        if tail == NONE {
            self.first[content as usize] = block;
        } else {
            self.newer[tail as usize] = block;
        }
    }

    /// Gives a block back.
    pub(crate) fn release(&mut self, block: u32) {
        let references = &mut self.references[block as usize];
        *references -= 1;
        if *references == 0 {
            if self.unknown_first && self.content[block as usize] == NONE {
                self.link(block, FRONT, self.next[FRONT as usize]);
            } else {
                self.link(block, self.previous[BACK as usize], BACK);
            }
        }
    }

    /// Makes room for contents numbered below `contents`.
    pub(crate) fn know(&mut self, contents: usize) {
        self.first.resize(contents.max(self.first.len()), NONE);
        self.last.resize(contents.max(self.last.len()), NONE);
    }

    /// Forgets what every block holds. False while any is in use: nothing is forgotten then.
    pub(crate) fn reset(&mut self) -> bool {
        let unused = self.free == self.usable;
        if unused {
            for block in 0..self.references.len() as u32 {
                self.forget(block);
            }
        }
        unused
    }

    /// True: the content is found in another block now.
    fn forget(&mut self, block: u32) -> bool {
        let content = std::mem::replace(&mut self.content[block as usize], NONE);
        if content == NONE {
            return false;
        }
        let (older, newer) = (self.older[block as usize], self.newer[block as usize]);
        if older == NONE {
            self.first[content as usize] = newer;
        } else {
            self.newer[older as usize] = newer;
        }
        if newer == NONE {
            self.last[content as usize] = older;
        } else {
            self.older[newer as usize] = older;
        }
        older == NONE && newer != NONE
    }

    /// Frees a block, between two nodes of the free list.
    fn link(&mut self, block: u32, before: u32, after: u32) {
        let node = block + 2;
        self.next[before as usize] = node;
        self.previous[node as usize] = before;
        self.next[node as usize] = after;
        self.previous[after as usize] = node;
        self.free += 1;
    }

    fn unlink(&mut self, block: u32) {
        let node = block as usize + 2;
        let (before, after) = (self.previous[node], self.next[node]);
        self.next[before as usize] = after;
        self.previous[after as usize] = before;
        self.free -= 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_content_is_found_until_its_block_is_taken() {
        let mut pool = BlockPool::new(2, 4, true);
        let block = pool.take().0;
        pool.remember(block, 3);
        pool.release(block);
        assert_eq!(pool.find(3), Some(block));
        let other = pool.take().0;
        assert_ne!(other, block, "the known block is the last to go");
        pool.take();
        assert_eq!(pool.find(3), None);
    }

    #[test]
    fn equal_content_is_found_as_long_as_one_block_holds_it() {
        for order in [[0, 1, 2], [1, 0, 2], [1, 2, 0], [2, 0, 1]] {
            let mut pool = BlockPool::new(3, 1, true);
            let blocks = [pool.take().0, pool.take().0, pool.take().0];
            blocks.iter().for_each(|block| pool.remember(*block, 0));
            let mut holders = blocks.to_vec();
            for i in order {
                assert_eq!(pool.find(0), holders.first().copied(), "the first known");
                pool.release(blocks[i]);
                assert_eq!(pool.take().0, blocks[i], "the only free one");
                holders.retain(|block| *block != blocks[i]);
            }
            assert_eq!(pool.find(0), None);
        }
    }

    #[test]
    fn block_of_unknown_content_is_the_first_to_go() {
        let mut pool = BlockPool::new(3, 1, true);
        let (known, unknown) = (pool.take().0, pool.take().0);
        pool.remember(known, 0);
        pool.release(known);
        pool.release(unknown);
        assert_eq!(pool.take().0, unknown);
    }

    /// `block_pool.py` of 0.19: blocks are taken in the order in which they were freed, and those
    /// that were never used before all.
    #[test]
    fn freed_blocks_of_0_19_wait_behind_all_others() {
        let mut pool = BlockPool::new(3, 1, true).with_unknown_first(false);
        let (known, unknown) = (pool.take().0, pool.take().0);
        pool.remember(known, 0);
        pool.release(known);
        pool.release(unknown);
        let unused = pool.take().0;
        assert!(unused != known && unused != unknown);
        assert_eq!((pool.take().0, pool.find(0)), (known, None));
        assert_eq!(pool.take().0, unknown);
    }

    proptest! {
        #[test]
        fn blocks_are_conserved(ops in prop::collection::vec(0_u32..3, 1..200)) {
            let mut pool = BlockPool::new(8, 1000, true);
            let mut held = Vec::new();
            for (i, op) in ops.into_iter().enumerate() {
                match op {
                    0 if pool.free() > 0 => held.push(pool.take().0),
                    1 => if let Some(block) = held.pop() { pool.release(block) },
                    _ => if let Some(&block) = held.first() {
                        if pool.content[block as usize] == NONE {
                            pool.remember(block, i as u32);
                        }
                        pool.share(block);
                        held.push(block);
                    },
                }
                let mut distinct = held.clone();
                distinct.sort_unstable();
                distinct.dedup();
                prop_assert_eq!(pool.free() as usize + distinct.len(), 8);
            }
        }
    }
}
