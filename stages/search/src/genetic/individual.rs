use std::cmp::Ordering;

use rand::rngs::ChaCha8Rng;
use sbt_trials::front_numbers;

use super::operators::Crossover;
use crate::point::Point;
use crate::sampler::Evaluation;

/// A point with what it was worth, and its standing in the population.
#[derive(Debug, Clone)]
pub(crate) struct Individual {
    pub(crate) point: Point,
    pub(crate) objectives: Vec<f64>,
    pub(crate) violation: f64,
    /// How far its neighbours are; only NSGA-II asks.
    pub(crate) crowding: f64,
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

    pub(crate) fn feasible_at(point: Point, objectives: Vec<f64>) -> Self {
        let evaluation = Evaluation {
            objectives: Some(objectives),
            violation: Some(0.0),
        };
        Self::new((point, evaluation))
    }

    pub(crate) fn feasible(&self) -> bool {
        self.violation <= 0.0
    }
}

/// What tells one genetic sampler from another.
pub(crate) trait Survival: Clone + Default {
    /// How two parents cross.
    const CROSSOVER: Crossover;

    /// The better of two feasible individuals comes first.
    fn compare(a: &Individual, b: &Individual) -> Ordering;

    /// The best of a pool of feasible individuals, one at least: `size`, or all if fewer.
    fn select(
        &mut self,
        pool: Vec<Individual>,
        size: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Individual>;
}

/// Fronts of a pool, the best first, as many as give `size` individuals.
pub(crate) fn fronts(pool: Vec<Individual>, size: usize) -> Vec<Vec<Individual>> {
    let points: Vec<&[f64]> = pool.iter().map(|i| i.objectives.as_slice()).collect();
    let numbers = front_numbers(&points);
    let count = numbers.iter().max().map_or(0, |n| *n as usize + 1);
    let mut fronts = vec![Vec::new(); count];
    for (individual, number) in pool.into_iter().zip(numbers) {
        fronts[number as usize].push(individual);
    }
    let mut sum = 0;
    let needed = |front: &Vec<Individual>| {
        let wanted = sum < size;
        sum += front.len();
        wanted
    };
    fronts.into_iter().take_while(needed).collect()
}
