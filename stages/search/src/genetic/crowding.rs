use std::cmp::Ordering;

use rand::rngs::ChaCha8Rng;
use sbt_trials::dominates;

use super::individual::{Individual, Survival, fronts};
use super::operators::Crossover;

/// No neighbour on this side.
const NONE: usize = usize::MAX;

/// Survival of NSGA-II: front by front, the last one thinned by crowding.
#[derive(Clone, Default)]
pub struct Crowding;

impl Survival for Crowding {
    const CROSSOVER: Crossover = Crossover {
        eta: 15.0,
        pairs: 0.9,
    };

    fn compare(a: &Individual, b: &Individual) -> Ordering {
        if dominates(&a.objectives, &b.objectives) {
            Ordering::Less
        } else if dominates(&b.objectives, &a.objectives) {
            Ordering::Greater
        } else {
            b.crowding.total_cmp(&a.crowding)
        }
    }

    fn select(
        &mut self,
        pool: Vec<Individual>,
        size: usize,
        _: &mut ChaCha8Rng,
    ) -> Vec<Individual> {
        let mut survivors = Vec::with_capacity(size);
        for front in fronts(pool, size) {
            let room = size - survivors.len();
            survivors.extend(thinned(front, room));
        }
        survivors
    }
}

/// At most `keep` of a front, each with its crowding: the most crowded one goes, its neighbours
/// get new distances, and so on. Taking all away at once, as NSGA-II was published, tears holes.
fn thinned(front: Vec<Individual>, keep: usize) -> Vec<Individual> {
    let mut neighbours = Neighbours::of(&front);
    let mut crowding: Vec<f64> = (0..front.len()).map(|i| neighbours.distance(i)).collect();
    let mut left: Vec<usize> = (0..front.len()).collect();
    while left.len() > keep {
        let places = 0..left.len();
        let least = places.min_by(|&a, &b| crowding[left[a]].total_cmp(&crowding[left[b]]));
        let gone = left.swap_remove(least.expect("more are left than none"));
        for touched in neighbours.remove(gone) {
            crowding[touched] = neighbours.distance(touched);
        }
    }
    left.sort_unstable();
    let mut kept = left.into_iter().peekable();
    let numbered = front.into_iter().enumerate();
    let survivors = numbered.filter_map(|(i, mut individual)| {
        kept.next_if_eq(&i)?;
        individual.crowding = crowding[i];
        Some(individual)
    });
    survivors.collect()
}

/// A front in the order of each objective, as linked lists.
struct Neighbours {
    objectives: Vec<Line>,
}

struct Line {
    /// Values over their range.
    values: Vec<f64>,
    before: Vec<usize>,
    after: Vec<usize>,
}

impl Neighbours {
    fn of(front: &[Individual]) -> Self {
        let count = front.first().map_or(0, |i| i.objectives.len());
        let objectives = (0..count).map(|k| Line::of(front.iter().map(|i| i.objectives[k])));
        Self {
            objectives: objectives.collect(),
        }
    }

    /// Crowding distance: how far the neighbours are, per objective over its range, mean.
    fn distance(&self, i: usize) -> f64 {
        let sum: f64 = self.objectives.iter().map(|line| line.gap(i)).sum();
        sum / self.objectives.len() as f64
    }

    /// Takes one out; returns who got new neighbours.
    fn remove(&mut self, i: usize) -> Vec<usize> {
        let mut touched = Vec::with_capacity(2 * self.objectives.len());
        for line in &mut self.objectives {
            let (before, after) = (line.before[i], line.after[i]);
            if before != NONE {
                line.after[before] = after;
                touched.push(before);
            }
            if after != NONE {
                line.before[after] = before;
                touched.push(after);
            }
        }
        touched
    }
}

impl Line {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        let mut before = vec![NONE; values.len()];
        let mut after = vec![NONE; values.len()];
        for pair in order.windows(2) {
            after[pair[0]] = pair[1];
            before[pair[1]] = pair[0];
        }
        let range = values[order[order.len() - 1]] - values[order[0]];
        if range > 0.0 {
            values.iter_mut().for_each(|value| *value /= range);
        }
        Self {
            values,
            before,
            after,
        }
    }

    fn gap(&self, i: usize) -> f64 {
        match (self.before[i], self.after[i]) {
            (NONE, _) | (_, NONE) => f64::INFINITY,
            (before, after) => self.values[after] - self.values[before],
        }
    }
}
