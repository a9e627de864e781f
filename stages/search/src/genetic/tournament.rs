use std::cmp::Ordering;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use super::individual::{Individual, Survival};

/// Pairs of parents, each the better of two. The contestants come from permutations of the
/// population, so that everybody is drawn equally often (as in pymoo).
pub(crate) fn parents<S: Survival>(
    population: &[Individual],
    pairs: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<(usize, usize)> {
    let mut contestants = Vec::with_capacity(4 * pairs + population.len());
    while contestants.len() < 4 * pairs {
        let mut permutation: Vec<usize> = (0..population.len()).collect();
        permutation.shuffle(rng);
        contestants.extend(permutation);
    }
    let groups = contestants.chunks_exact(4).take(pairs);
    groups
        .map(|group| {
            let first = winner::<S>(population, group[0], group[1], rng);
            (first, winner::<S>(population, group[2], group[3], rng))
        })
        .collect()
}

fn winner<S: Survival>(
    population: &[Individual],
    a: usize,
    b: usize,
    rng: &mut ChaCha8Rng,
) -> usize {
    match compare::<S>(&population[a], &population[b]) {
        Ordering::Less => a,
        Ordering::Greater => b,
        Ordering::Equal => [a, b][usize::from(rng.random::<bool>())],
    }
}

/// Feasible before infeasible, less violation before more; feasible ones as the survival says.
pub(crate) fn compare<S: Survival>(a: &Individual, b: &Individual) -> Ordering {
    if a.feasible() && b.feasible() {
        S::compare(a, b)
    } else {
        a.violation.total_cmp(&b.violation)
    }
}
