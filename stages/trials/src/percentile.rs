use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use statrs::distribution::{Binomial, DiscreteCDF};

/// Share of the probability that lies outside an interval, on each side.
const TAIL: f64 = 0.025;
/// Batches of successive requests, taken as independent. Few, since what requests wait for lasts:
/// ten of 60 requests still correlate so much that a nominal 95 % holds the median TPOT 86 % of the
/// time, six 94 % (`study_statistics`).
const BATCHES: usize = 6;
/// 97.5 % quantile of Student's t with `BATCHES - 1` degrees of freedom.
const T_QUANTILE: f64 = 2.570_581_835_636_314;
/// 97.5 % quantile of the standard normal distribution.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;
/// Requests on either side of a quantile that each batch of a latency that follows the load must
/// have. Chosen so that the median's interval covers (`study_statistics`); with fewer, a trial that
/// happens to see none of the long queues bounds their tail with confidence.
const LEAST_IN_BATCH: f64 = 50.0;
/// Share of its variance between independent requests that the batches may show at least: by
/// chance they can agree entirely.
const LEAST_RATIO: f64 = 0.05;

/// Which bounds of an estimate are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bounds {
    /// None: they cost more than a search has for a figure that it never shows.
    Skipped,
    /// Of values whose dependence shows in themselves.
    Own,
    /// Of values that follow the load above a quantile: neighbours share them for so long that
    /// only a long trial tells how far they reach.
    ByLoad {
        /// Quantiles above this one follow the load.
        above: f64,
    },
}

/// A number with its 95 % interval; null where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: Option<f64>,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
}

/// Mean and percentiles of one latency, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Distribution {
    pub(crate) mean: Estimate,
    pub(crate) p50: Estimate,
    pub(crate) p90: Estimate,
    pub(crate) p95: Estimate,
    pub(crate) p99: Estimate,
}

impl Distribution {
    /// From the values of each finished request, in order of time, and the number of values that
    /// failed requests would have had: they stand above every value.
    pub(crate) fn of<V: AsRef<[f64]>>(requests: &[V], failed: usize, bounds: Bounds) -> Self {
        let mut values: Vec<f64> = Vec::new();
        for request in requests {
            values.extend_from_slice(request.as_ref());
        }
        if values.is_empty() {
            return Self::default();
        }
        let mean = mean(requests, &values, bounds);
        let total = values.len() + failed;
        let places = QUANTILES.map(|q| place(total, q));
        put_in_place(&mut values, 0, &places);
        let mut found = places.map(|place| Estimate {
            value: values.get(place).copied(),
            ..Estimate::default()
        });
        if bounds != Bounds::Skipped {
            let ends = std::array::from_fn(|k| {
                let value = found[k].value?;
                let counted = bounds.counted(requests, failed, value, QUANTILES[k])?;
                Some(ends(total, requests.len() + failed, counted, QUANTILES[k]))
            });
            bound(&mut found, &mut values, &ends);
        }
        let [p50, p90, p95, p99] = found;
        Self {
            mean,
            p50,
            p90,
            p95,
            p99,
        }
    }
}

const QUANTILES: [f64; 4] = [0.50, 0.90, 0.95, 0.99];

impl Bounds {
    /// For how many independent values those of the requests count at a quantile; none when the
    /// trial is too short for a bound.
    fn counted<V: AsRef<[f64]>>(
        self,
        requests: &[V],
        failed: usize,
        value: f64,
        q: f64,
    ) -> Option<u64> {
        if let Self::ByLoad { above } = self
            && q > above
            && (requests.len() / BATCHES) as f64 * (1.0 - q).min(q) < LEAST_IN_BATCH
        {
            return None;
        }
        let counted = independent(requests, value)?;
        let with_failed = 1.0 + failed as f64 / requests.len().max(1) as f64;
        Some((counted * with_failed).round().max(1.0) as u64)
    }
}

/// For how many independent values those of the requests count, as far as it concerns the share
/// above a value. The share's variance is taken from batches of successive requests, since
/// neighbours wait together; that a variance of so few batches is itself uncertain, as Student's
/// quantile has it, is in the number too. None with too few requests.
fn independent<V: AsRef<[f64]>>(requests: &[V], value: f64) -> Option<f64> {
    let shares = batch_means(requests, |v| f64::from(u8::from(v > value)))?;
    let share = shares.iter().sum::<f64>() / BATCHES as f64;
    let n = requests.len() as f64;
    let if_independent = share * (1.0 - share) / n;
    if if_independent == 0.0 {
        // Nothing lies above: the values are equal, or the highest one is the quantile.
        return Some(n);
    }
    let ratio = variance(&shares) / BATCHES as f64 / if_independent;
    let widened = ratio * (T_QUANTILE / NORMAL_QUANTILE).powi(2);
    Some(n / widened.max(LEAST_RATIO))
}

/// Places in rising order, from 0, of the ends of a quantile's interval among `total` values: two
/// order statistics whose ranks follow from Binomial(counted, q) (Hahn & Meeker, Statistical
/// Intervals, §5.2; Woodruff 1952 for dependent values). None on a side where even as many
/// independent values as there are requests have none.
fn ends(total: usize, requests: usize, counted: u64, q: f64) -> [Option<usize>; 2] {
    let (low, high) = ranks(counted, q);
    let (possible_low, possible_high) = ranks(requests as u64, q);
    let at = |rank: u64| place(total, rank as f64 / counted as f64);
    [
        low.filter(|_| possible_low.is_some()).map(at),
        high.filter(|_| possible_high.is_some()).map(at),
    ]
}

/// Fills the bounds of estimates from the places of their ends; places beyond the values are those
/// of failures.
fn bound(
    estimates: &mut [Estimate; QUANTILES.len()],
    values: &mut [f64],
    ends: &[Option<[Option<usize>; 2]>; QUANTILES.len()],
) {
    let mut places: Vec<usize> = ends.iter().flatten().flatten().flatten().copied().collect();
    places.sort_unstable();
    put_in_place(values, 0, &places);
    for (estimate, ends) in estimates.iter_mut().zip(ends) {
        let [low, high] = ends.unwrap_or_default();
        let at = |place: Option<usize>| values.get(place?).copied();
        (estimate.low, estimate.high) = (at(low), at(high));
    }
}

/// Puts the values at some places, rising and counted from `first`, where they stand in rising
/// order: a sort of all would take most of a simulated trial.
fn put_in_place(values: &mut [f64], first: usize, places: &[usize]) {
    let within = places.partition_point(|place| *place < first + values.len());
    let Some(&middle) = places[..within].get(within / 2) else {
        return;
    };
    values.select_nth_unstable_by(middle - first, f64::total_cmp);
    let (below, above) = values.split_at_mut(middle - first);
    let before = places[..within].partition_point(|place| *place < middle);
    let after = places[..within].partition_point(|place| *place <= middle);
    put_in_place(below, first, &places[..before]);
    put_in_place(&mut above[1..], middle + 1, &places[after..within]);
}

/// Nearest-rank percentile of values in rising order: the least of them that a share `q` of all do
/// not exceed; none without values.
#[must_use]
pub fn nearest_rank(sorted: &[f64], q: f64) -> Option<f64> {
    sorted.get(place(sorted.len(), q)).copied()
}

/// Place in rising order, from 0, of the least of `total` values that a share of all do not exceed.
fn place(total: usize, share: f64) -> usize {
    (share * total as f64 - 1e-9).ceil().max(1.0) as usize - 1
}

type Ranks = (Option<u64>, Option<u64>);

/// Trials of one workload have the same numbers of requests over and over.
static RANKS: Mutex<BTreeMap<(u64, u64), Ranks>> = Mutex::new(BTreeMap::new());
/// Ranks that are kept; what is more begins anew.
const KEPT: usize = 4096;

/// Ranks, from 1, of the order statistics that enclose the q-quantile of n values with 95 %; none
/// on a side where no value is far enough out.
fn ranks(n: u64, q: f64) -> Ranks {
    let mut known = RANKS.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= KEPT {
        known.clear();
    }
    *known
        .entry((n, q.to_bits()))
        .or_insert_with(|| binomial_ranks(n, q))
}

fn binomial_ranks(n: u64, q: f64) -> Ranks {
    let below = Binomial::new(q, n).expect("q is a probability");
    // P(fewer than `low` values lie below the quantile) <= TAIL, and likewise from above.
    let mut low = below.inverse_cdf(TAIL);
    if low > 0 && below.cdf(low - 1) > TAIL {
        low -= 1;
    }
    let mut high = below.inverse_cdf(1.0 - TAIL) + 1;
    if below.cdf(high - 1) < 1.0 - TAIL {
        high += 1;
    }
    ((low > 0).then_some(low), (high <= n).then_some(high))
}

/// Mean of all values, with a t-interval over the means of batches of successive requests.
fn mean<V: AsRef<[f64]>>(requests: &[V], values: &[f64], bounds: Bounds) -> Estimate {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let means = match bounds {
        Bounds::Skipped => None,
        Bounds::Own | Bounds::ByLoad { .. } => batch_means(requests, |v| v),
    };
    let half = means.map(|means| T_QUANTILE * (variance(&means) / BATCHES as f64).sqrt());
    let half = half.filter(|half: &f64| half.is_finite());
    Estimate {
        value: Some(mean),
        low: half.map(|half| mean - half),
        high: half.map(|half| mean + half),
    }
}

/// Mean of a figure of the values in each of [`BATCHES`] batches of successive requests; none with
/// fewer than two requests for each.
fn batch_means<V: AsRef<[f64]>>(
    requests: &[V],
    figure: impl Fn(f64) -> f64,
) -> Option<[f64; BATCHES]> {
    let size = requests.len() / BATCHES;
    (size >= 2).then(|| {
        std::array::from_fn(|batch| {
            let end = if batch + 1 == BATCHES {
                requests.len()
            } else {
                (batch + 1) * size
            };
            let of_batch = requests[batch * size..end].iter().flat_map(|v| v.as_ref());
            let (sum, n) = of_batch.fold((0.0, 0.0), |(sum, n), v| (sum + figure(*v), n + 1.0));
            sum / n
        })
    })
}

fn variance(values: &[f64; BATCHES]) -> f64 {
    let n = BATCHES as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Bounds, Distribution, nearest_rank, put_in_place, ranks};

    fn one_each(values: impl IntoIterator<Item = f64>) -> Vec<[f64; 1]> {
        values.into_iter().map(|v| [v]).collect()
    }

    #[test]
    fn nearest_rank_is_the_least_value_that_enough_do_not_exceed() {
        let values = [1.0, 2.0, 3.0, 4.0];
        let at = [0.0, 0.5, 0.51, 1.0].map(|q| nearest_rank(&values, q));
        assert_eq!(at, [Some(1.0), Some(2.0), Some(3.0), Some(4.0)]);
        assert_eq!(nearest_rank(&[], 0.5), None);
    }

    #[test]
    fn ranks_are_those_of_the_tables() {
        assert_eq!(ranks(1000, 0.99), (Some(983), Some(997)));
        assert_eq!(ranks(2000, 0.99), (Some(1971), Some(1989)));
        assert_eq!(ranks(5000, 0.99), (Some(4936), Some(4964)));
        assert_eq!(ranks(300, 0.95), (Some(277), Some(293)));
        assert_eq!(ranks(1000, 0.95), (Some(936), Some(964)));
        assert_eq!(ranks(1000, 0.5), (Some(469), Some(532)));
    }

    #[test]
    fn p99_of_few_requests_has_no_upper_bound() {
        assert_eq!(ranks(366, 0.99).1, None);
        assert_eq!(ranks(370, 0.99).1, Some(370));
        assert_eq!(ranks(3, 0.5), (None, None));
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let of_100 = Distribution::of(&one_each((1..=100).map(f64::from)), 0, Bounds::Own);
        assert_eq!(of_100.p50.value, Some(50.0));
        assert_eq!(of_100.p95.value, Some(95.0));
        assert_eq!(of_100.p99.value, Some(99.0));
        assert_eq!(of_100.mean.value, Some(50.5));
        assert_eq!(of_100.p99.high, None);
    }

    #[test]
    fn percentile_that_failures_reach_is_null() {
        let with_failures = Distribution::of(&one_each((1..=94).map(f64::from)), 6, Bounds::Own);
        assert_eq!(with_failures.p90.value, Some(90.0));
        assert_eq!(with_failures.p90.high, None);
        assert_eq!(with_failures.p95.value, None);
        assert_eq!(with_failures.mean.value, Some(47.5));
        assert_eq!(
            Distribution::of(&one_each([]), 10, Bounds::Own),
            Distribution::default()
        );
    }

    #[test]
    fn values_that_last_bound_less_than_those_that_do_not() {
        let lasting = one_each((0..600).map(|i| f64::from(i / 100 % 2 * 10 + i % 7)));
        let mixed = one_each((0..600).map(|i| f64::from(i % 2 * 10 + i % 7)));
        let width = |values: &[[f64; 1]]| {
            let p50 = Distribution::of(values, 0, Bounds::Own).p50;
            p50.high.zip(p50.low).map(|(high, low)| high - low)
        };
        assert!(width(&mixed).unwrap() < 5.0);
        assert!(width(&lasting).is_none_or(|width| width >= 9.0));
    }

    #[test]
    fn tail_that_follows_the_load_needs_a_long_trial() {
        let of = |n| {
            let values = one_each((0..n).map(|i| f64::from(i * 7919 % 1000)));
            Distribution::of(&values, 0, Bounds::ByLoad { above: 0.4 })
        };
        let (short, long) = (of(700), of(6100));
        assert_eq!((short.p95.low, short.p95.high), (None, None));
        assert!(short.p50.high.is_some() && long.p95.high.is_some());
        assert_eq!(long.p99.high, None);
    }

    #[test]
    fn skipped_bounds_leave_the_values() {
        let values = one_each((0..2000).map(|i| f64::from(i * 7919 % 1000)));
        let (skipped, own) = (
            Distribution::of(&values, 0, Bounds::Skipped),
            Distribution::of(&values, 0, Bounds::Own),
        );
        assert_eq!(skipped.p95.value, own.p95.value);
        assert_eq!((skipped.p50.high, skipped.mean.high), (None, None));
        assert!(own.p50.high.is_some() && own.mean.high.is_some());
    }

    #[test]
    fn dependent_values_do_not_narrow_the_interval() {
        let single = one_each((0..200).map(f64::from));
        let repeated: Vec<[f64; 50]> = (0..200).map(|v| [f64::from(v); 50]).collect();
        let (single, repeated) = (
            Distribution::of(&single, 0, Bounds::Own),
            Distribution::of(&repeated, 0, Bounds::Own),
        );
        assert_eq!(single.p90, repeated.p90);
        assert_eq!(single.mean, repeated.mean);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn values_at_places_are_those_of_a_sort(mut values in prop::collection::vec(-1e3..1e3_f64, 0..200), mut places in prop::collection::vec(0_usize..250, 0..12)) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            places.sort_unstable();
            put_in_place(&mut values, 0, &places);
            for place in places {
                prop_assert_eq!(values.get(place), sorted.get(place));
            }
        }

        #[test]
        fn estimates_are_ordered(
            values in prop::collection::vec(0.0..9.0_f64, 1..200), failed in 0..20_usize,
        ) {
            let d = Distribution::of(&one_each(values), failed, Bounds::Own);
            let ordered = [d.p50, d.p90, d.p95, d.p99].map(|e| e.value.unwrap_or(f64::INFINITY));
            prop_assert!(ordered.is_sorted());
            for e in [d.p50, d.p90, d.p95, d.p99, d.mean] {
                let value = e.value.unwrap_or(f64::INFINITY);
                prop_assert!(e.low.is_none_or(|low| low <= value));
                prop_assert!(e.high.is_none_or(|high| high >= value));
            }
        }
    }
}
