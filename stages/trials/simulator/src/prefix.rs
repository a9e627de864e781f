use crate::Request;
use crate::blocks::NONE;

/// Content of every KV block that any request can fill, as dense numbers: equal number, equal
/// tokens and equal tokens before. Numbered before the run, so that its inner loop hashes nothing.
pub(crate) struct BlockKeys {
    keys: Vec<u32>,
    starts: Vec<usize>,
    count: usize,
}

impl BlockKeys {
    /// Keys for blocks of `block_size` tokens. `lengths` is the longest that each request grows.
    pub(crate) fn new(requests: &[Request], lengths: &[u32], block_size: u32) -> Self {
        let blocks = |length: &u32| length.div_ceil(block_size);
        let total = lengths.iter().map(|length| blocks(length) as usize).sum();
        let mut numbers = Numbers::for_contents(total);
        let mut keys = Vec::with_capacity(total);
        let mut starts = Vec::with_capacity(requests.len());
        for (request, length) in requests.iter().zip(lengths) {
            starts.push(keys.len());
            keys.extend((0..blocks(length)).map(|block| {
                match content(request, block, block_size) {
                    Some((id, offset)) => numbers.of(id, offset),
                    None => numbers.fresh(),
                }
            }));
        }
        Self {
            keys,
            starts,
            count: numbers.next as usize,
        }
    }

    /// Distinct contents.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Where the blocks of a request begin in a table of all blocks.
    pub(crate) fn start(&self, request: usize) -> usize {
        self.starts[request]
    }

    /// Blocks of all requests.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Content of a request's n-th block.
    pub(crate) fn key(&self, request: usize, block: usize) -> u32 {
        self.keys[self.starts[request] + block]
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
    next: u32,
}

#[derive(Clone, Copy)]
struct Slot {
    id: u64,
    offset: u32,
    number: u32,
}

impl Numbers {
    /// At most half full, so that a probe ends soon.
    fn for_contents(most: usize) -> Self {
        let empty = Slot {
            id: 0,
            offset: 0,
            number: NONE,
        };
        Self {
            slots: vec![empty; (2 * most).next_power_of_two()],
            next: 0,
        }
    }

    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn of(&mut self, id: u64, offset: u32) -> u32 {
        let mask = self.slots.len() - 1;
        let mut at = mixed(id, offset) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.number == NONE {
                let number = self.fresh();
                self.slots[at] = Slot { id, offset, number };
                return number;
            }
            if (slot.id, slot.offset) == (id, offset) {
                return slot.number;
            }
            at = (at + 1) & mask;
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

    proptest! {
        #[test]
        fn numbers_are_those_of_an_ordered_map(contents in prop::collection::vec((0_u64..20, 0_u32..3), 1..200)) {
            let mut numbers = Numbers::for_contents(contents.len());
            let mut seen = BTreeMap::new();
            for (id, offset) in contents {
                let next = seen.len() as u32;
                let expected = *seen.entry((id, offset)).or_insert(next);
                prop_assert_eq!(numbers.of(id, offset), expected);
            }
        }
    }
}
