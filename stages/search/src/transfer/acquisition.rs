use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use sbt_trials::Judge;

use super::predictor::of_log;

/// Draws of the metrics of each candidate; the same normal numbers for all. Chosen.
const DRAWS: usize = 32;
/// Least probability of being feasible. Chosen: one standard deviation from a limit.
const SURE: f64 = 0.8;

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

/// What it promises to evaluate a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Promise {
    /// Probability of being feasible.
    pub(super) feasible: f64,
    /// Expected gain of hypervolume.
    pub(super) gain: f64,
}

impl Promise {
    /// Order of the candidates, largest first: gains of those that are surely feasible, then all
    /// gains, then the likeliest.
    pub(super) fn key(self) -> (bool, f64, f64) {
        let sure = self.feasible >= SURE && self.gain > 0.0;
        (sure, self.gain, self.feasible)
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

    pub(super) fn promise(&self, belief: &Belief<'_>) -> Promise {
        let (mut feasible, mut gain) = (0.0, 0.0);
        for normal in &self.normal {
            let drawn = belief.logs.iter().zip(normal);
            let drawn = drawn.map(|((column, (mean, sd)), z)| (*column, of_log(mean + sd * z)));
            let drawn: Vec<(&str, f64)> = drawn.collect();
            let value = |name: &str| {
                let known = drawn.iter().find(|(column, _)| *column == name);
                let known = known.map(|(_, value)| *value);
                known.or_else(|| belief.stated.get(name).copied())
            };
            let appraisal = self.judge.appraise(&value);
            if appraisal.violation == 0.0 {
                feasible += 1.0;
                gain += appraisal.coordinates.map_or(0.0, |point| self.gain(point));
            }
        }
        let share = belief.ends_well / DRAWS as f64;
        Promise {
            feasible: feasible * share,
            gain: gain * share,
        }
    }

    /// By how much a point enlarges the volume.
    fn gain(&self, point: Vec<f64>) -> f64 {
        let mut with = self.front.clone();
        with.push(point);
        (self.judge.volume_of(&with) - self.volume).max(0.0)
    }

    /// Counts a candidate as found with its mean, so that the next one differs from it.
    pub(super) fn expect(&mut self, belief: &Belief<'_>) {
        self.front.extend(self.judge.appraise(&|name| belief.mean(name)).coordinates);
        self.volume = self.judge.volume_of(&self.front);
    }
}
