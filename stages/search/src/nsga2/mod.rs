//! NSGA-II (Deb et al. 2002) with the operators and defaults of pymoo 0.6: binary tournament,
//! simulated binary crossover, polynomial mutation, feasibility first.

mod operators;
mod survival;
mod tournament;

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::point::Point;
use crate::sampler::{Evaluation, Sampler};
use crate::space::Space;
use operators::{crossover, mutate};
use survival::{Individual, survive};
use tournament::parents;

/// Rounds of mating to find points that were not evaluated yet; pymoo's default.
const MATING_ROUNDS: usize = 100;

/// NSGA-II over mixed dimensions.
pub(crate) struct Nsga2 {
    space: Space,
    rng: ChaCha8Rng,
    size: usize,
    population: Vec<Individual>,
    /// Cells of everything that was told: nothing of it is proposed again.
    known: BTreeSet<Vec<i64>>,
    /// Points of the generation that nobody asked for yet.
    next: Vec<Point>,
    /// Points of the generation that were told.
    told: Vec<Individual>,
}

impl Nsga2 {
    pub(crate) fn new(space: &Space, size: usize, seed: u64) -> Self {
        Self {
            space: space.clone(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            size: size.max(2),
            population: Vec::new(),
            known: BTreeSet::new(),
            next: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Offspring of the population. Where mating finds nothing new, random points fill up.
    fn generation(&mut self) -> Vec<Point> {
        let mut offspring = Vec::with_capacity(self.size);
        let mut cells = BTreeSet::new();
        for _ in 0..MATING_ROUNDS {
            if self.population.is_empty() || offspring.len() == self.size {
                break;
            }
            for child in self.mate(self.size - offspring.len()) {
                let cell = self.space.cell(&child);
                let new = !self.known.contains(&cell) && cells.insert(cell);
                if new && offspring.len() < self.size {
                    offspring.push(child);
                }
            }
        }
        while offspring.len() < self.size {
            offspring.push(self.space.sample(&mut self.rng));
        }
        offspring
    }

    /// Children of as many pairs as `wanted` points need.
    fn mate(&mut self, wanted: usize) -> Vec<Point> {
        let pairs = parents(&self.population, wanted.div_ceil(2), &mut self.rng);
        let mut children = Vec::with_capacity(2 * pairs.len());
        for (a, b) in pairs {
            let pair = (&self.population[a].point, &self.population[b].point);
            let (mut first, mut second) = crossover(&self.space, pair, &mut self.rng);
            mutate(&self.space, &mut first, &mut self.rng);
            mutate(&self.space, &mut second, &mut self.rng);
            children.extend([first, second]);
        }
        children
    }
}

impl Sampler for Nsga2 {
    fn ask(&mut self, n: usize) -> Vec<Point> {
        if self.next.is_empty() {
            self.next = self.generation();
        }
        let n = n.min(self.next.len());
        self.next.drain(..n).collect()
    }

    fn tell(&mut self, told: &[(Point, Evaluation)]) {
        self.known
            .extend(told.iter().map(|(point, _)| self.space.cell(point)));
        self.told.extend(told.iter().cloned().map(Individual::new));
        if self.next.is_empty() {
            let mut pool = std::mem::take(&mut self.population);
            pool.append(&mut self.told);
            self.population = survive(pool, self.size);
        }
    }
}

#[cfg(test)]
mod tests;
