use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use sbt_engine::Digest;
use sbt_schemas::{AttributionRow, Phase, Population, Provenance, RequestRow, RequestStatus};
use serde_json::json;

use crate::excess::excess;

/// Parts of E2E, in order of time.
const COMPONENTS: [&str; 5] = ["retry", "network", "queue", "prefill", "decode"];
/// Quantile of E2E from which a request belongs to the tail.
const TAIL: f64 = 0.95;
/// Fewer requests give no interval: their mean is not near enough to normal.
pub(crate) const LEAST_FOR_INTERVAL: usize = 30;
/// Resamples of the bootstrap. Chosen: bounds settle to about a tenth of the interval.
pub(crate) const RESAMPLES: usize = 1000;

/// Seconds of one request in each component.
pub(crate) type Parts = [f64; 5];

/// Where the time of each configuration goes, over all finished requests and over the slowest
/// 5 %. A percentile does not split into the percentiles of its parts; the mean over the tail
/// does, exactly (the Euler allocation of expected shortfall). Then what the tail has more of than the
/// middle. Intervals come from a bootstrap
/// over requests within each draw.
#[must_use]
pub fn attribute(requests: &[RequestRow]) -> Vec<AttributionRow> {
    let mut by_config: BTreeMap<&str, Vec<(&RequestRow, Parts)>> = BTreeMap::new();
    for request in requests {
        if let Some(parts) = parts(request) {
            let of_config = by_config.entry(&request.config_id).or_default();
            of_config.push((request, parts));
        }
    }
    let mut rows = Vec::new();
    for mut requests in by_config.into_values() {
        requests.sort_by(|(_, a), (_, b)| e2e(a).total_cmp(&e2e(b)));
        let tail = first_of_tail(&requests);
        rows.extend(population(Population::All, &requests));
        rows.extend(population(Population::Tail, &requests[tail..]));
        rows.extend(excess(&requests, tail, provenance(&requests)));
    }
    rows
}

fn e2e(parts: &Parts) -> f64 {
    parts.iter().sum()
}

/// Place of the first request of the tail, among requests in rising order of E2E; those that
/// took as long belong to it.
fn first_of_tail(requests: &[(&RequestRow, Parts)]) -> usize {
    let from = e2e(&requests[tail_start(requests.len())].1);
    requests.partition_point(|(_, parts)| e2e(parts) < from)
}

/// The parts of a request that counts; none when it did not finish or a part is not known.
fn parts(request: &RequestRow) -> Option<Parts> {
    let counts = request.status == RequestStatus::Ok && request.phase == Phase::Measure;
    let parts = [
        request.retry_s?,
        request.network_s?,
        request.queue_s?,
        request.prefill_s?,
        request.decode_s?,
    ];
    counts.then_some(parts)
}

/// Place, in rising order of E2E, from which requests belong to the tail.
#[must_use]
pub fn tail_start(requests: usize) -> usize {
    let rank = (TAIL * requests as f64).ceil() as usize;
    rank.saturating_sub(1)
}

fn population(kind: Population, requests: &[(&RequestRow, Parts)]) -> Vec<AttributionRow> {
    let parts: Vec<Parts> = requests.iter().map(|(_, parts)| *parts).collect();
    let first = requests[0].0;
    let total = sum(&parts);
    let shares = shares(&total);
    let intervals = intervals(kind, requests);
    let rows = COMPONENTS
        .iter()
        .enumerate()
        .map(|(k, component)| AttributionRow {
            config_id: first.config_id.clone(),
            config_name: first.config_name.clone(),
            population: kind,
            component: (*component).to_owned(),
            seconds: total[k] / parts.len() as f64,
            share: shares[k],
            share_lo: intervals.map(|bounds| bounds[k].0),
            share_hi: intervals.map(|bounds| bounds[k].1),
            n: parts.len() as u64,
            provenance: provenance(requests),
        });
    rows.collect()
}

/// Where parts come from; one inferred request makes the whole inferred.
fn provenance(requests: &[(&RequestRow, Parts)]) -> Provenance {
    let inferred = requests.iter().map(|(request, _)| request.parts);
    let mut inferred = inferred.filter(|parts| *parts == Provenance::Inferred);
    inferred.next().unwrap_or(requests[0].0.parts)
}

pub(crate) fn sum<'a, const N: usize>(parts: impl IntoIterator<Item = &'a [f64; N]>) -> [f64; N] {
    let mut total = [0.0; N];
    for parts in parts {
        for (total, part) in total.iter_mut().zip(parts) {
            *total += part;
        }
    }
    total
}

fn shares(total: &Parts) -> Parts {
    let whole: f64 = total.iter().sum();
    total.map(|part| if whole > 0.0 { part / whole } else { 0.0 })
}

/// 95 % percentile-bootstrap interval of each share.
fn intervals(kind: Population, requests: &[(&RequestRow, Parts)]) -> Option<[(f64, f64); 5]> {
    if requests.len() < LEAST_FOR_INTERVAL {
        return None;
    }
    let mut draws: BTreeMap<u64, Vec<Parts>> = BTreeMap::new();
    for (request, parts) in requests {
        draws.entry(request.draw).or_default().push(*parts);
    }
    let purpose = json!({ "config": requests[0].0.config_id, "population": kind.word() });
    let seed = Digest::of_value("attribution-bootstrap", &purpose).seed();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut resampled: Vec<Parts> = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let mut total = [0.0; 5];
        for draw in draws.values() {
            let picks = (0..draw.len()).map(|_| &draw[rng.random_range(0..draw.len())]);
            total = sum([&total, &sum(picks)]);
        }
        resampled.push(shares(&total));
    }
    bounds(&resampled)
}

/// 95 % percentile-bootstrap interval of each component; none without resamples.
pub(crate) fn bounds<const N: usize>(resampled: &[[f64; N]]) -> Option<[(f64, f64); N]> {
    let outside = resampled.len() / 40;
    let last = resampled.len().checked_sub(1 + outside)?;
    Some(std::array::from_fn(|k| {
        let mut values: Vec<f64> = resampled.iter().map(|parts| parts[k]).collect();
        values.sort_by(f64::total_cmp);
        (values[outside], values[last])
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sbt_schemas::{AttributionRow, Phase, Population, RequestRow, RequestStatus};

    use super::attribute;
    use crate::samples::request;

    fn share(rows: &[AttributionRow], population: Population, component: &str) -> AttributionRow {
        let found = rows
            .iter()
            .find(|r| r.population == population && r.component == component);
        found.unwrap().clone()
    }

    /// Every nineteenth request waits in the queue.
    fn with_queue(n: u64) -> Vec<RequestRow> {
        let rows = (0..n).map(|i| {
            let mut row = request(i, i as f64, 0.2, 1.0 + i as f64 / 1e4, 50);
            row.queue_s = Some(if i % 19 == 0 { 8.0 } else { 0.1 });
            row
        });
        rows.collect()
    }

    #[test]
    fn tail_is_made_of_what_makes_it_slow() {
        let rows = attribute(&with_queue(1000));
        assert_eq!(rows.len(), 16);
        let (all, tail) = (
            share(&rows, Population::All, "queue"),
            share(&rows, Population::Tail, "queue"),
        );
        assert!(
            tail.share > 0.85 && all.share < 0.4,
            "{} {}",
            tail.share,
            all.share
        );
        assert_eq!((all.n, tail.n), (1000, 51));
        assert!((tail.seconds - 8.0).abs() < 1e-9);
        let (low, high) = (all.share_lo.unwrap(), all.share_hi.unwrap());
        assert!(low < all.share && all.share < high && high - low < 0.3);
    }

    #[test]
    fn tail_of_long_answers_is_told_from_one_of_slow_answers() {
        // Every nineteenth answer takes 8 s more: for its length, or for its pace.
        let excess = |tokens: u64| {
            let mut rows: Vec<RequestRow> = (0..1000)
                .map(|i| request(i, i as f64, 0.2, 1.0 + i as f64 / 1e4, 50))
                .collect();
            for row in rows.iter_mut().step_by(19) {
                row.decode_s = Some(9.0);
                row.output_tokens = tokens;
            }
            let rows = attribute(&rows);
            ["length", "speed"].map(|part| share(&rows, Population::Excess, part).share)
        };
        let [length, speed] = excess(50);
        assert!(length.abs() < 0.05 && speed > 0.9, "{length} {speed}");
        let [length, speed] = excess(450);
        assert!(length > 0.9 && speed.abs() < 0.1, "{length} {speed}");
    }

    #[test]
    fn small_tail_has_no_interval() {
        let rows = attribute(&with_queue(200));
        let tail = share(&rows, Population::Tail, "decode");
        assert_eq!((tail.n, tail.share_lo, tail.share_hi), (11, None, None));
        assert!(share(&rows, Population::All, "decode").share_lo.is_some());
    }

    #[test]
    fn failed_and_warm_up_requests_and_unknown_parts_do_not_count() {
        let mut rows = with_queue(60);
        rows[1].status = RequestStatus::TimeoutTotal;
        rows[2].phase = Phase::Warmup;
        rows[3].network_s = None;
        assert_eq!(attribute(&rows)[0].n, 57);
        rows.iter_mut().for_each(|r| r.phase = Phase::Drain);
        assert!(attribute(&rows).is_empty());
    }

    #[test]
    fn configurations_are_told_apart_and_results_repeat() {
        let mut rows = with_queue(60);
        rows[..30]
            .iter_mut()
            .for_each(|r| r.config_id = "another".to_owned());
        let attributed = attribute(&rows);
        assert_eq!(attributed.len(), 32);
        assert_eq!(attributed, attribute(&rows));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn shares_of_a_population_add_to_one(
            parts in prop::collection::vec((0.01..3.0_f64, 0.1..9.0_f64), 1..80),
        ) {
            let requests = parts.iter().enumerate();
            let requests: Vec<RequestRow> = requests
                .map(|(i, &(ttft, decode))| request(i as u64, i as f64, ttft, decode, 20))
                .collect();
            let rows = attribute(&requests);
            for population in [Population::All, Population::Tail] {
                let of_population = rows.iter().filter(|r| r.population == population);
                let sum: f64 = of_population.map(|r| r.share).sum();
                prop_assert!((sum - 1.0).abs() < 1e-9);
            }
            prop_assert!(rows.iter().all(|r| r.share_lo <= r.share_hi));
            let excess = rows.iter().filter(|r| r.population == Population::Excess);
            let excess: Vec<f64> = excess.map(|r| r.share).collect();
            let sum: f64 = excess.iter().sum();
            prop_assert!(excess.is_empty() || (sum - 1.0).abs() < 1e-6);
        }
    }
}
