//! What makes the slowest requests slower than those in the middle.

use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use sbt_engine::Digest;
use sbt_schemas::{AttributionRow, Population, Provenance, RequestRow};

use crate::attribution::{LEAST_FOR_INTERVAL, Parts, RESAMPLES, bounds, sum};

/// Parts of the excess. Decoding is split: `length` is what the tokens of the answer take at the
/// median pace, `speed` what their own pace adds. A tail of long answers is no fault of serving.
const COMPONENTS: [&str; 6] = ["retry", "network", "queue", "prefill", "length", "speed"];
/// The middle, as shares of the requests in rising order of E2E.
const BODY: (f64, f64) = (0.4, 0.6);

/// Seconds of one request in each component.
type Split = [f64; 6];

/// Requests of one draw after another.
struct Group(BTreeMap<u64, Vec<Split>>);

/// (E[part | tail] - E[part | body]) of each part, and its share of that of E2E; intervals from a
/// bootstrap over the requests of both groups within each draw. Empty when the tail is no slower
/// than the body.
///
/// `requests` stand in rising order of E2E; from `tail` on they belong to the tail.
pub(crate) fn excess(
    requests: &[(&RequestRow, Parts)],
    tail: usize,
    provenance: Provenance,
) -> Vec<AttributionRow> {
    let pace = median_pace(requests);
    let place = |share: f64| (share * requests.len() as f64) as usize;
    let group = |requests: &[(&RequestRow, Parts)]| {
        let mut draws: BTreeMap<u64, Vec<Split>> = BTreeMap::new();
        for (request, parts) in requests {
            let split = split(request, parts, pace);
            draws.entry(request.draw).or_default().push(split);
        }
        Group(draws)
    };
    let body = &requests[place(BODY.0)..place(BODY.1).max(place(BODY.0))];
    let (tail, body) = (group(&requests[tail..]), group(body));
    let Some(found) = difference(tail.mean(), body.mean()) else {
        return Vec::new();
    };
    let first = requests[0].0;
    let intervals = intervals(&first.config_id, &tail, &body);
    let shares = shares(&found);
    let rows = COMPONENTS.iter().enumerate().map(|(k, component)| {
        let bounds = intervals.as_ref().map(|bounds| bounds[k]);
        AttributionRow {
            config_id: first.config_id.clone(),
            config_name: first.config_name.clone(),
            population: Population::Excess,
            component: (*component).to_owned(),
            seconds: found[k],
            share: shares[k],
            share_lo: bounds.map(|(low, _)| low),
            share_hi: bounds.map(|(_, high)| high),
            n: tail.len() as u64,
            provenance,
        }
    });
    rows.collect()
}

/// Median of the seconds that one output token takes.
fn median_pace(requests: &[(&RequestRow, Parts)]) -> f64 {
    let mut paces: Vec<f64> = requests
        .iter()
        .map(|(request, parts)| parts[4] / tokens(request))
        .collect();
    paces.sort_by(f64::total_cmp);
    paces.get(paces.len() / 2).copied().unwrap_or(0.0)
}

fn tokens(request: &RequestRow) -> f64 {
    request.output_tokens.max(1) as f64
}

fn split(request: &RequestRow, parts: &Parts, pace: f64) -> Split {
    let [retry, network, queue, prefill, decode] = *parts;
    let length = tokens(request) * pace;
    [retry, network, queue, prefill, length, decode - length]
}

impl Group {
    fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    fn mean(&self) -> Option<Split> {
        self.mean_of(self.0.values().flatten())
    }

    /// Mean of as many requests, drawn with replacement within each draw.
    fn resampled(&self, rng: &mut ChaCha8Rng) -> Option<Split> {
        let draws = self.0.values();
        let picks: Vec<&Split> = draws
            .flat_map(|draw| (0..draw.len()).map(move |_| draw))
            .map(|draw| &draw[rng.random_range(0..draw.len())])
            .collect();
        self.mean_of(picks)
    }

    fn mean_of<'a>(&self, splits: impl IntoIterator<Item = &'a Split>) -> Option<Split> {
        let n = self.len();
        (n > 0).then(|| sum(splits).map(|part| part / n as f64))
    }
}

/// Tail less body; none when E2E does not differ.
fn difference(tail: Option<Split>, body: Option<Split>) -> Option<Split> {
    let (tail, body) = tail.zip(body)?;
    let mut difference = tail;
    for (part, body) in difference.iter_mut().zip(body) {
        *part -= body;
    }
    (difference.iter().sum::<f64>() > 0.0).then_some(difference)
}

fn shares(difference: &Split) -> Split {
    let whole: f64 = difference.iter().sum();
    difference.map(|part| part / whole)
}

fn intervals(config: &str, tail: &Group, body: &Group) -> Option<[(f64, f64); 6]> {
    if tail.len().min(body.len()) < LEAST_FOR_INTERVAL {
        return None;
    }
    let seed = Digest::of_value("excess-bootstrap", &config.into()).seed();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let resampled = (0..RESAMPLES).filter_map(|_| {
        let tail = tail.resampled(&mut rng);
        Some(shares(&difference(tail, body.resampled(&mut rng))?))
    });
    let resampled: Vec<Split> = resampled.collect();
    bounds(&resampled)
}
