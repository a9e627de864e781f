//! NSGA-II (Deb et al. 2002) with the operators and defaults of pymoo 0.6: binary tournament,
//! simulated binary crossover, polynomial mutation, feasibility first.

mod operators;
mod survival;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::point::Point;
use crate::sampler::{Evaluation, Sampler};
use crate::space::Space;
use operators::{crossover, mutate};
use survival::{Individual, survive};

/// Rounds of mating to find points that are not there yet.
const MATING_ROUNDS: usize = 100;

/// NSGA-II over mixed dimensions.
pub(crate) struct Nsga2 {
    space: Space,
    rng: ChaCha8Rng,
    size: usize,
    population: Vec<Individual>,
    /// Offspring asked for and not yet told.
    asked: Vec<Point>,
    /// Offspring told, until the generation is complete.
    told: Vec<Individual>,
}

impl Nsga2 {
    pub(crate) fn new(space: &Space, size: usize, seed: u64) -> Self {
        Self {
            space: space.clone(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            size: size.max(2),
            population: Vec::new(),
            asked: Vec::new(),
            told: Vec::new(),
        }
    }

    fn generation(&mut self) -> Vec<Point> {
        if self.population.is_empty() {
            return (0..self.size)
                .map(|_| self.space.sample(&mut self.rng))
                .collect();
        }
        let mut offspring: Vec<Point> = Vec::with_capacity(self.size);
        for _ in 0..MATING_ROUNDS {
            while offspring.len() < self.size {
                let (a, b) = (self.tournament(), self.tournament());
                let parents = (&self.population[a].point, &self.population[b].point);
                let (mut first, mut second) = crossover(&self.space, parents, &mut self.rng);
                for child in [&mut first, &mut second] {
                    mutate(&self.space, child, &mut self.rng);
                }
                offspring.extend([first, second]);
            }
            offspring.truncate(self.size);
            self.drop_duplicates(&mut offspring);
            if offspring.len() == self.size {
                break;
            }
        }
        offspring
    }

    /// Points that differ by less are the same.
    fn drop_duplicates(&self, offspring: &mut Vec<Point>) {
        let mut kept: Vec<Point> = Vec::with_capacity(offspring.len());
        for point in offspring.drain(..) {
            let known = self.population.iter().map(|i| &i.point).chain(&kept);
            let decoded = self.space.decode(&point);
            if !known
                .into_iter()
                .any(|other| other == &point || self.space.decode(other) == decoded)
            {
                kept.push(point);
            }
        }
        *offspring = kept;
    }

    /// The better of two at random: by feasibility, then by domination and crowding.
    fn tournament(&mut self) -> usize {
        let a = self.rng.random_range(0..self.population.len());
        let b = self.rng.random_range(0..self.population.len());
        let (one, other) = (&self.population[a], &self.population[b]);
        let better = one.compare(other);
        match better {
            std::cmp::Ordering::Less => a,
            std::cmp::Ordering::Greater => b,
            std::cmp::Ordering::Equal => {
                if self.rng.random() {
                    a
                } else {
                    b
                }
            }
        }
    }
}

impl Sampler for Nsga2 {
    fn ask(&mut self, n: usize) -> Vec<Point> {
        if self.asked.is_empty() {
            self.asked = self.generation();
        }
        let n = n.min(self.asked.len());
        self.asked.drain(..n).collect()
    }

    fn tell(&mut self, told: &[(Point, Evaluation)]) {
        self.told.extend(told.iter().cloned().map(Individual::new));
        if !self.asked.is_empty() {
            return;
        }
        let mut pool = std::mem::take(&mut self.population);
        pool.append(&mut self.told);
        self.population = survive(pool, self.size);
    }
}

#[cfg(test)]
mod tests;
