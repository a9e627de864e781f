//! Genetic samplers: mating and bookkeeping are the same, what survives differs. Operators and
//! defaults are those of pymoo 0.6.

mod crowding;
mod directions;
mod individual;
mod niching;
mod operators;
mod plane;
mod tournament;

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::archive::Archive;
use crate::point::Point;
use crate::sampler::{Evaluation, Sampler};
use crate::space::Space;
use crowding::Crowding;
use individual::{Individual, Survival, fronts};
use niching::Niching;
use operators::{crossover, mutate};
use tournament::parents;

/// Rounds of mating to find points that were not evaluated yet; pymoo's default.
const MATING_ROUNDS: usize = 100;

/// NSGA-II (Deb et al. 2002), with the last front thinned one by one (Kukkonen and Deb 2006).
pub type Nsga2 = Genetic<Crowding>;
/// NSGA-III (Deb and Jain 2014) for three objectives or more.
pub type Nsga3 = Genetic<Niching>;

/// A population over mixed dimensions; feasible before infeasible.
pub struct Genetic<S> {
    space: Space,
    rng: ChaCha8Rng,
    size: usize,
    survival: S,
    population: Vec<Individual>,
    /// The best of all that was told, of which mating knows nothing.
    archive: Archive,
    /// Cells of everything that was told: nothing of it is proposed again.
    known: BTreeSet<Vec<i64>>,
    /// Points of the generation that nobody asked for yet.
    next: Vec<Point>,
    /// Points of the generation that were told.
    told: Vec<Individual>,
}

#[expect(
    private_bounds,
    reason = "how a population survives is not the caller's business"
)]
impl<S: Survival> Genetic<S> {
    /// A sampler whose generations have `size` points, 2 at least.
    #[must_use]
    pub fn new(space: &Space, size: usize, seed: u64) -> Self {
        Self {
            space: space.clone(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            size: size.max(2),
            survival: S::default(),
            population: Vec::new(),
            archive: Archive::default(),
            known: BTreeSet::new(),
            next: Vec::new(),
            told: Vec::new(),
        }
    }

    /// The front of all that was told, each point with its objectives: of the population and an archive,
    /// as many as a generation has points, the rest thinned as populations are.
    #[must_use]
    pub fn front(&self) -> Vec<(Point, Vec<f64>)> {
        let feasible = self.population.iter().filter(|i| i.feasible());
        let mut all: Vec<Individual> = feasible.cloned().collect();
        for (point, objectives) in self.archive.members() {
            if self.population.iter().all(|i| i.point != *point) {
                all.push(Individual::feasible_at(point.clone(), objectives.to_vec()));
            }
        }
        let Some(front) = fronts(all, 1).into_iter().next() else {
            return Vec::new();
        };
        // The same chance whenever it is asked for, and none of it taken from the search.
        let mut chance = ChaCha8Rng::seed_from_u64(0);
        let front = self.survival.clone().select(front, self.size, &mut chance);
        front.into_iter().map(|i| (i.point, i.objectives)).collect()
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
        let pairs = parents::<S>(&self.population, wanted.div_ceil(2), &mut self.rng);
        let mut children = Vec::with_capacity(2 * pairs.len());
        for (a, b) in pairs {
            let pair = (&self.population[a].point, &self.population[b].point);
            let (mut first, mut second) = crossover(&self.space, pair, S::CROSSOVER, &mut self.rng);
            mutate(&self.space, &mut first, &mut self.rng);
            mutate(&self.space, &mut second, &mut self.rng);
            children.extend([first, second]);
        }
        children
    }
}

impl<S: Survival> Sampler for Genetic<S> {
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
        for (point, evaluation) in told {
            if evaluation.constraint_violation() <= 0.0
                && let Some(objectives) = &evaluation.objectives
            {
                self.archive.tell(point, objectives);
            }
        }
        self.told.extend(told.iter().cloned().map(Individual::new));
        if self.next.is_empty() {
            let mut pool = std::mem::take(&mut self.population);
            pool.append(&mut self.told);
            self.population = survive(&mut self.survival, pool, self.size, &mut self.rng);
        }
    }
}

/// The best of a pool: feasible ones as the survival says; infeasible ones by violation, only
/// when the feasible do not fill the population.
fn survive<S: Survival>(
    survival: &mut S,
    pool: Vec<Individual>,
    size: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<Individual> {
    let (feasible, mut infeasible): (Vec<_>, Vec<_>) =
        pool.into_iter().partition(Individual::feasible);
    let mut survivors = if feasible.is_empty() {
        Vec::new()
    } else {
        survival.select(feasible, size, rng)
    };
    infeasible.sort_by(|a, b| a.violation.total_cmp(&b.violation));
    infeasible.truncate(size - survivors.len());
    survivors.append(&mut infeasible);
    survivors
}

#[cfg(test)]
mod tests;
