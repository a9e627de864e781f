use std::collections::BTreeMap;

use crate::Request;

/// Content of every KV block that any request can fill, as dense numbers: equal number, equal
/// tokens and equal tokens before. Interned before the run, so that its inner loop hashes nothing.
pub(crate) struct BlockKeys {
    keys: Vec<u32>,
    starts: Vec<usize>,
    count: usize,
}

impl BlockKeys {
    /// Keys for blocks of `block_size` tokens. `lengths` is the longest that each request grows.
    pub(crate) fn new(requests: &[Request], lengths: &[u32], block_size: u32) -> Self {
        let mut shared: BTreeMap<(u64, u32), u32> = BTreeMap::new();
        let mut keys = Vec::new();
        let mut starts = Vec::with_capacity(requests.len() + 1);
        let mut next = 0;
        for (request, length) in requests.iter().zip(lengths) {
            starts.push(keys.len());
            for block in 0..length.div_ceil(block_size) {
                let known = content(request, block, block_size);
                let fresh = |next: &mut u32| {
                    *next += 1;
                    *next - 1
                };
                keys.push(match known {
                    Some(content) => *shared.entry(content).or_insert_with(|| fresh(&mut next)),
                    None => fresh(&mut next),
                });
            }
        }
        starts.push(keys.len());
        Self {
            keys,
            starts,
            count: next as usize,
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
    let id = request
        .block_ids
        .get((last / request.block_tokens) as usize)?;
    Some((*id, last % request.block_tokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(ids: &[u64], block_tokens: u32) -> Request {
        Request {
            start_s: 0.0,
            after: None,
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
}
