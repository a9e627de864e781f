//! How many threads a schedule is given to, and which of them gets what.

use std::thread;

use crate::{Ask, Limits};

/// Tokens a second that one thread reads with half a core to spare; measured, see `benches`.
const SHARD_TOKENS_PER_S: f64 = 50_000.0;

/// Tokens a second that a stream is taken to bring; chosen: a server that is fast for one user.
const STREAM_TOKENS_PER_S: f64 = 100.0;

/// The asks of each shard, by index, in order. What follows an ask stays with it; of what does not, the
/// shard with the fewest tokens takes the next.
pub(super) fn split(asks: &[Ask], limits: &Limits) -> Vec<Vec<usize>> {
    let chains = chains(asks);
    let streams = chains.iter().filter(|tokens| **tokens > 0).count() as u64;
    let streams = streams.min(limits.max_in_flight.unwrap_or(u64::MAX));
    let wanted = limits.shards.unwrap_or_else(|| {
        let shards = (expected_tokens_per_s(asks, streams) / SHARD_TOKENS_PER_S).ceil();
        (shards as u64).min(cores())
    });
    let mut shards = vec![(0, Vec::new()); wanted.min(streams).max(1) as usize];
    let mut of_chain = vec![0; asks.len()];
    for (index, ask) in asks.iter().enumerate() {
        let shard = match ask.after {
            Some(before) => of_chain[before],
            None => least(&shards),
        };
        of_chain[index] = shard;
        shards[shard].0 += chains[index];
        shards[shard].1.push(index);
    }
    shards.into_iter().map(|(_, asks)| asks).collect()
}

/// Cores that this process may use.
fn cores() -> u64 {
    thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

/// Tokens of each chain, at its first ask; nothing elsewhere.
fn chains(asks: &[Ask]) -> Vec<u64> {
    let mut first: Vec<usize> = Vec::with_capacity(asks.len());
    let mut tokens = vec![0; asks.len()];
    for (index, ask) in asks.iter().enumerate() {
        let root = ask.after.map_or(index, |before| first[before]);
        first.push(root);
        tokens[root] += u64::from(ask.output_tokens);
    }
    tokens
}

fn least(shards: &[(u64, Vec<usize>)]) -> usize {
    let of = |shard: &(usize, &(u64, Vec<usize>))| shard.1.0;
    let least = shards.iter().enumerate().min_by_key(of);
    least.map_or(0, |(shard, _)| shard)
}

/// The lower of what the schedule brings and of what so many streams can.
fn expected_tokens_per_s(asks: &[Ask], streams: u64) -> f64 {
    let tokens: f64 = asks.iter().map(|ask| f64::from(ask.output_tokens)).sum();
    let roots = asks.iter().filter(|ask| ask.after.is_none());
    let span_s = roots.map(|ask| ask.start_s).fold(0.0, f64::max);
    let by_schedule = tokens / span_s.max(f64::MIN_POSITIVE);
    by_schedule.min(streams as f64 * STREAM_TOKENS_PER_S)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::PromptWords;

    fn ask(start_s: f64, after: Option<usize>, output_tokens: u32) -> Ask {
        Ask {
            start_s,
            after,
            continues: false,
            prompt_tokens: 8,
            output_tokens,
            words: PromptWords::Given(String::new()),
            measured: true,
            keep_text: false,
        }
    }

    fn users(count: usize) -> Vec<Ask> {
        (0..count).map(|_| ask(0.0, None, 100)).collect()
    }

    #[test]
    fn shard_is_added_for_every_fifty_thousand_tokens_a_second_up_to_the_cores() {
        let shards = |asks: &[Ask]| split(asks, &Limits::default()).len() as u64;
        assert_eq!(shards(&[]), 1);
        assert_eq!(shards(&users(500)), 1);
        assert_eq!(shards(&users(501)), 2.min(cores()));
        assert_eq!(shards(&users(100_000)), cores());
        // ten requests of 100 tokens a second, however many there are
        let slow: Vec<Ask> = (0..10_000)
            .map(|i| ask(f64::from(i) / 10.0, None, 100))
            .collect();
        assert_eq!(shards(&slow), 1);
    }

    #[test]
    fn bound_on_requests_in_flight_bounds_the_shards() {
        let limits = Limits {
            max_in_flight: Some(3),
            shards: Some(8),
            ..Limits::default()
        };
        assert_eq!(split(&users(100), &limits).len(), 3);
    }

    proptest! {
        #[test]
        fn every_ask_has_one_shard_and_chains_stay_whole(
            links in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), 1_u32..500), 1..80),
            shards in 1_u64..6,
        ) {
            let asks: Vec<Ask> = links.iter().enumerate().map(|(i, (free, before, tokens))| {
                ask(0.0, (i > 0 && !free).then(|| before.index(i)), *tokens)
            }).collect();
            let parts = split(&asks, &Limits { shards: Some(shards), ..Limits::default() });
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..asks.len()).collect::<Vec<_>>());
            for part in &parts {
                prop_assert!(part.is_sorted() && !part.is_empty());
                let whole = |i: &usize| asks[*i].after.is_none_or(|before| part.contains(&before));
                prop_assert!(part.iter().all(whole));
            }
        }
    }
}
