use std::ops::Range;

use crate::Request;
use crate::blocks::NONE;

/// Content of every KV block that any request can fill, as dense numbers: equal number, equal
/// tokens and equal tokens before. Numbered before they are used, so that the engine's loop hashes
/// nothing.
pub(crate) struct BlockKeys {
    keys: Vec<u32>,
    spans: Vec<Range<usize>>,
    numbers: Numbers,
    block_size: u32,
}

impl BlockKeys {
    /// Keys for blocks of `block_size` tokens. `lengths` is the longest that each request grows.
    pub(crate) fn new(requests: &[Request], lengths: &[u32], block_size: u32) -> Self {
        let blocks = |length: &u32| length.div_ceil(block_size) as usize;
        let total = lengths.iter().map(blocks).sum();
        let mut keys = Self {
            keys: Vec::with_capacity(total),
            spans: Vec::with_capacity(requests.len()),
            numbers: Numbers::for_contents(total),
            block_size,
        };
        for (place, (request, length)) in requests.iter().zip(lengths).enumerate() {
            keys.place(place, request, *length);
        }
        keys
    }

    /// The same for requests of which no two have a block in common.
    pub(crate) fn unshared(lengths: &[u32], block_size: u32) -> Self {
        let mut keys = Self::new(&[], &[], block_size);
        for length in lengths {
            let start = keys.keys.len();
            for _ in 0..length.div_ceil(block_size) {
                keys.keys.push(keys.numbers.fresh());
            }
            keys.spans.push(start..keys.keys.len());
        }
        keys
    }

    /// Numbers the blocks of a request, in the place of one that has ended or behind all others.
    pub(crate) fn place(&mut self, place: usize, request: &Request, length: u32) {
        let (start, size) = (self.keys.len(), self.block_size);
        for block in 0..length.div_ceil(size) {
            self.keys.push(match content(request, block, size) {
                Some((id, offset)) => self.numbers.of(id, offset),
                None => self.numbers.fresh(),
            });
        }
        let span = start..self.keys.len();
        match self.spans.get_mut(place) {
            Some(old) => *old = span,
            None => self.spans.push(span),
        }
    }

    /// Keeps the keys of some requests alone, in this order, and the numbers of what else is held.
    pub(crate) fn keep(&mut self, requests: &[usize], held: impl Fn(u32) -> bool) {
        let mut keys = Vec::new();
        for &request in requests {
            let start = keys.len();
            keys.extend_from_slice(&self.keys[self.spans[request].clone()]);
            self.spans[request] = start..keys.len();
        }
        let mut kept: Vec<bool> = (0..self.numbers.next).map(held).collect();
        keys.iter().for_each(|key| kept[*key as usize] = true);
        self.numbers.keep(&kept);
        self.keys = keys;
    }

    /// Contents numbered so far.
    pub(crate) fn count(&self) -> usize {
        self.numbers.next as usize
    }

    /// Where the blocks of a request are in a table of all blocks.
    pub(crate) fn span(&self, request: usize) -> Range<usize> {
        self.spans[request].clone()
    }

    /// Where the blocks of a request begin in a table of all blocks.
    pub(crate) fn start(&self, request: usize) -> usize {
        self.spans[request].start
    }

    /// Whether a content is that of several blocks of requests.
    pub(crate) fn is_shared(&self, key: u32) -> bool {
        self.numbers.shared[key as usize]
    }

    /// Whether any content is.
    pub(crate) fn any_is_shared(&self) -> bool {
        self.numbers.any_shared
    }

    /// Blocks of all requests.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Content of a request's n-th block.
    pub(crate) fn key(&self, request: usize, block: usize) -> u32 {
        self.keys[self.spans[request].start + block]
    }
}

/// The block of the request's own ids that holds the last token of a KV block, and where in it:
/// ids are chained, so this names everything before too.
fn content(request: &Request, block: u32, block_size: u32) -> Option<(u64, u32)> {
    let last = (block + 1) * block_size - 1;
    let index = last.checked_div(request.block_tokens)?;
    let id = request.block_ids.get(index as usize)?;
    Some((*id, last % request.block_tokens))
}

/// Numbers contents in the order in which they are first seen: open addressing with linear
/// probing. An ordered map took most of the time of a trial with long prompts.
struct Numbers {
    slots: Vec<Slot>,
    filled: usize,
    next: u32,
    /// By number, whether its content was met again; and whether any was.
    shared: Vec<bool>,
    any_shared: bool,
    /// Numbers below `next` that are in use no more.
    free: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Slot {
    id: u64,
    offset: u32,
    number: u32,
}

const EMPTY: Slot = Slot {
    id: 0,
    offset: 0,
    number: NONE,
};

impl Numbers {
    /// At most half full, so that a probe ends soon.
    fn for_contents(most: usize) -> Self {
        Self {
            slots: vec![EMPTY; (2 * most).next_power_of_two()],
            filled: 0,
            next: 0,
            shared: Vec::new(),
            any_shared: false,
            free: Vec::new(),
        }
    }

    fn fresh(&mut self) -> u32 {
        if let Some(number) = self.free.pop() {
            self.shared[number as usize] = false;
            return number;
        }
        self.shared.push(false);
        self.next += 1;
        self.next - 1
    }

    fn of(&mut self, id: u64, offset: u32) -> u32 {
        let at = self.find(id, offset);
        if self.slots[at].number != NONE {
            let number = self.slots[at].number;
            self.shared[number as usize] = true;
            self.any_shared = true;
            return number;
        }
        let number = self.fresh();
        self.slots[at] = Slot { id, offset, number };
        self.filled += 1;
        if 2 * self.filled > self.slots.len() {
            self.rebuild(self.filled * 2, |_| true);
        }
        number
    }

    /// Where a content is, or where it goes.
    fn find(&self, id: u64, offset: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = mixed(id, offset) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.number == NONE || (slot.id, slot.offset) == (id, offset) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// Frees the numbers that are not kept.
    fn keep(&mut self, kept: &[bool]) {
        self.rebuild(self.filled, |number| kept[number as usize]);
        self.free = (0..self.next).filter(|n| !kept[*n as usize]).collect();
    }

    fn rebuild(&mut self, most: usize, kept: impl Fn(u32) -> bool) {
        let fresh = vec![EMPTY; (2 * most).next_power_of_two()];
        let old = std::mem::replace(&mut self.slots, fresh);
        self.filled = 0;
        for slot in old {
            if slot.number != NONE && kept(slot.number) {
                let at = self.find(slot.id, slot.offset);
                self.slots[at] = slot;
                self.filled += 1;
            }
        }
    }
}

/// The finaliser of `SplitMix64`: ids may be consecutive, slots should not be.
fn mixed(id: u64, offset: u32) -> u64 {
    let z = id ^ (u64::from(offset) << 40);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn request(ids: &[u64], block_tokens: u32) -> Request {
        Request {
            start_s: 0.0,
            after: None,
            continues: false,
            priority: 0,
            prompt_tokens: 64,
            output_tokens: 1,
            block_ids: ids.to_vec(),
            block_tokens,
        }
    }

    #[test]
    fn equal_ids_give_equal_keys_and_the_rest_is_unique() {
        let requests = [request(&[7, 8], 16), request(&[7, 9], 16)];
        let keys = BlockKeys::new(&requests, &[64, 64], 16);
        assert_eq!(keys.key(0, 0), keys.key(1, 0));
        for block in 1..4 {
            assert_ne!(keys.key(0, block), keys.key(1, block));
        }
        assert_eq!(keys.count(), 7);
    }

    #[test]
    fn larger_and_smaller_source_blocks_are_split_and_joined() {
        let large = [request(&[1], 64), request(&[1], 64)];
        let keys = BlockKeys::new(&large, &[64, 64], 16);
        assert!((0..4).all(|block| keys.key(0, block) == keys.key(1, block)));
        let small = [request(&[1, 2, 3, 4], 16), request(&[1, 2, 3, 5], 16)];
        let keys = BlockKeys::new(&small, &[64, 64], 32);
        assert_eq!(keys.key(0, 0), keys.key(1, 0));
        assert_ne!(keys.key(0, 1), keys.key(1, 1));
    }

    #[test]
    fn request_without_ids_shares_nothing() {
        let keys = BlockKeys::new(&[request(&[], 0), request(&[], 0)], &[64, 64], 16);
        assert_eq!(keys.count(), 8);
    }

    #[test]
    fn numbers_of_what_is_gone_are_given_again() {
        let requests = [request(&[1, 2], 16), request(&[3], 16), request(&[4], 16)];
        let mut keys = BlockKeys::new(&requests, &[64, 64, 64], 16);
        let (kept, held) = (keys.key(2, 0), keys.key(0, 1));
        keys.keep(&[2], |number| number == held);
        assert_eq!((keys.len(), keys.key(2, 0)), (4, kept));
        let count = keys.count();
        keys.place(0, &request(&[1, 2, 4], 16), 64);
        assert_eq!(keys.key(0, 1), held, "still held");
        assert_eq!(keys.key(0, 2), kept, "in use");
        assert_ne!(keys.key(0, 0), held);
        assert_eq!(keys.count(), count, "old numbers do");
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_an_ordered_map(contents in prop::collection::vec((0_u64..20, 0_u32..3), 1..200)) {
            let mut numbers = Numbers::for_contents(1);
            let mut seen = BTreeMap::new();
            for (id, offset) in contents {
                let next = seen.len() as u32;
                let expected = *seen.entry((id, offset)).or_insert(next);
                prop_assert_eq!(numbers.of(id, offset), expected);
            }
        }
    }
}
