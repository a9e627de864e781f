use std::cmp::Ordering;
use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use sbt_trials::Judge;

use super::predictor::of_log;

/// Draws of the metrics of each candidate; the same normal numbers for all. Chosen.
const DRAWS: usize = 32;
/// Probability of being feasible from which on it is sure. Chosen: one standard deviation from a
/// limit.
const SURE: f64 = 0.8;
/// What a sure gain counts against others. Chosen: it alone would never leave the region of the
/// first feasible ones.
const SURE_WEIGHT: f64 = 3.0;

/// What is believed of a candidate: its columns, and the probability that it ends `ok`.
pub(super) struct Belief<'a> {
    /// Columns that are certain.
    pub(super) stated: &'a BTreeMap<String, f64>,
    /// Mean and standard deviation of the logarithms of the others.
    pub(super) logs: BTreeMap<&'a str, (f64, f64)>,
    /// Probability that the trial ends `ok`.
    pub(super) ends_well: f64,
}

impl Belief<'_> {
    /// The likeliest value of a column.
    pub(super) fn mean(&self, column: &str) -> Option<f64> {
        let mean = self.logs.get(column).map(|(mean, _)| of_log(*mean));
        mean.or_else(|| self.stated.get(column).copied())
    }
}

/// Coordinates of a candidate by draw.
pub(super) struct Outcomes(Vec<Option<Vec<f64>>>);

/// What it promises to evaluate a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Promise {
    /// Probability of being feasible.
    pub(super) feasible: f64,
    /// Expected gain of hypervolume.
    pub(super) gain: f64,
}

impl Promise {
    /// Order of the candidates: by gain, of which one that is surely feasible counts more; then the
    /// likeliest.
    pub(super) fn compare(self, other: Self) -> Ordering {
        let weighed = |promise: Self| {
            let weight = if promise.feasible >= SURE {
                SURE_WEIGHT
            } else {
                1.0
            };
            promise.gain * weight
        };
        let by_gain = weighed(self).total_cmp(&weighed(other));
        by_gain.then(self.feasible.total_cmp(&other.feasible))
    }
}

/// Promises of candidates against what was found so far.
pub(super) struct Acquisition<'a> {
    judge: &'a Judge,
    /// Coordinates of the feasible ones so far.
    front: Vec<Vec<f64>>,
    volume: f64,
    /// Normal numbers, by draw and metric.
    normal: Vec<Vec<f64>>,
}

impl<'a> Acquisition<'a> {
    pub(super) fn new(judge: &'a Judge, front: Vec<Vec<f64>>, metrics: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || StandardNormal.sample(&mut rng);
        let normal = (0..DRAWS).map(|_| (0..metrics).map(|_| draw()).collect());
        Self {
            judge,
            normal: normal.collect(),
            volume: judge.volume_of(&front),
            front,
        }
    }

    /// Hypervolume found so far.
    pub(super) fn volume(&self) -> f64 {
        self.volume
    }

    /// Where a candidate may lie: its coordinates in each draw, none where it is not feasible.
    pub(super) fn outcomes(&self, belief: &Belief<'_>) -> Outcomes {
        let drawn = self.normal.iter().map(|normal| {
            let drawn = belief.logs.iter().zip(normal);
            let drawn = drawn.map(|((column, (mean, sd)), z)| (*column, of_log(mean + sd * z)));
            let drawn: Vec<(&str, f64)> = drawn.collect();
            let appraisal = self.judge.appraise(&|name| {
                let known = drawn.iter().find(|(column, _)| *column == name);
                let known = known.map(|(_, value)| *value);
                known.or_else(|| belief.stated.get(name).copied())
            });
            let point = appraisal.coordinates.unwrap_or_default();
            (appraisal.violation == 0.0).then_some(point)
        });
        Outcomes(drawn.collect())
    }

    /// What a candidate promises that ends `ok` with a probability.
    pub(super) fn promise(&self, outcomes: &Outcomes, ends_well: f64) -> Promise {
        let feasible = outcomes.0.iter().flatten();
        let share = ends_well / outcomes.0.len() as f64;
        Promise {
            feasible: feasible.clone().count() as f64 * share,
            gain: feasible.map(|point| self.gain(point)).sum::<f64>() * share,
        }
    }

    /// By how much a point enlarges the volume.
    fn gain(&self, point: &[f64]) -> f64 {
        let covered = |known: &Vec<f64>| known.iter().zip(point).all(|(known, new)| known <= new);
        if point.is_empty() || self.front.iter().any(covered) {
            return 0.0;
        }
        let mut with = self.front.clone();
        with.push(point.to_vec());
        (self.judge.volume_of(&with) - self.volume).max(0.0)
    }

    /// Counts a candidate as found with its mean, so that the next one differs from it.
    pub(super) fn expect(&mut self, belief: &Belief<'_>) {
        self.front
            .extend(self.judge.appraise(&|name| belief.mean(name)).coordinates);
        self.volume = self.judge.volume_of(&self.front);
    }
}
