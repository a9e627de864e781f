use std::cmp::Ordering;

use sbt_trials::{dominates, front_numbers};

use crate::point::Point;
use crate::sampler::Evaluation;

/// A point with what it was worth, and its standing in the population.
#[derive(Debug, Clone)]
pub(crate) struct Individual {
    pub(crate) point: Point,
    objectives: Vec<f64>,
    violation: f64,
    crowding: f64,
}

impl Individual {
    pub(crate) fn new((point, evaluation): (Point, Evaluation)) -> Self {
        Self {
            violation: evaluation.constraint_violation(),
            objectives: evaluation.objectives.unwrap_or_default(),
            point,
            crowding: 0.0,
        }
    }

    fn feasible(&self) -> bool {
        self.violation <= 0.0
    }

    /// Feasible before infeasible, less violation before more; among feasible ones domination,
    /// then crowding.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        if !self.feasible() || !other.feasible() {
            return self.violation.total_cmp(&other.violation);
        }
        if dominates(&self.objectives, &other.objectives) {
            Ordering::Less
        } else if dominates(&other.objectives, &self.objectives) {
            Ordering::Greater
        } else {
            other.crowding.total_cmp(&self.crowding)
        }
    }
}

/// The best of a pool: front by front, the last one thinned by crowding; infeasible ones by
/// violation only when the feasible do not fill the population.
pub(crate) fn survive(pool: Vec<Individual>, size: usize) -> Vec<Individual> {
    let (feasible, mut infeasible): (Vec<_>, Vec<_>) =
        pool.into_iter().partition(Individual::feasible);
    let mut survivors = Vec::with_capacity(size);
    for mut front in fronts(feasible) {
        crowd(&mut front);
        if survivors.len() + front.len() > size {
            front.sort_by(|a, b| b.crowding.total_cmp(&a.crowding));
            front.truncate(size - survivors.len());
        }
        survivors.append(&mut front);
        if survivors.len() == size {
            return survivors;
        }
    }
    infeasible.sort_by(|a, b| a.violation.total_cmp(&b.violation));
    infeasible.truncate(size - survivors.len());
    survivors.append(&mut infeasible);
    survivors
}

fn fronts(pool: Vec<Individual>) -> Vec<Vec<Individual>> {
    let points: Vec<&[f64]> = pool.iter().map(|i| i.objectives.as_slice()).collect();
    let numbers = front_numbers(&points);
    let count = numbers.iter().max().map_or(0, |n| *n as usize + 1);
    let mut fronts = vec![Vec::new(); count];
    for (individual, number) in pool.into_iter().zip(numbers) {
        fronts[number as usize].push(individual);
    }
    fronts
}

/// Crowding distance: how far the neighbours are, per objective over its range, summed.
fn crowd(front: &mut [Individual]) {
    let objectives = front.first().map_or(0, |i| i.objectives.len());
    front
        .iter_mut()
        .for_each(|individual| individual.crowding = 0.0);
    for k in 0..objectives {
        front.sort_by(|a, b| a.objectives[k].total_cmp(&b.objectives[k]));
        let last = front.len() - 1;
        let range = front[last].objectives[k] - front[0].objectives[k];
        front[0].crowding = f64::INFINITY;
        front[last].crowding = f64::INFINITY;
        if range > 0.0 {
            for i in 1..last {
                let gap = front[i + 1].objectives[k] - front[i - 1].objectives[k];
                front[i].crowding += gap / range / objectives as f64;
            }
        }
    }
}
