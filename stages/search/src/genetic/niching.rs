use std::cmp::Ordering;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;

use super::directions::directions;
use super::individual::{Individual, Survival, fronts};
use super::operators::Crossover;
use super::plane::Plane;

/// Survival of NSGA-III: front by front, of the last one those whose direction has the fewest
/// followers.
#[derive(Clone, Default)]
pub struct Niching {
    plane: Plane,
    directions: Vec<Vec<f64>>,
}

/// The direction that an individual follows, and how far it is from it.
#[derive(Clone, Copy)]
struct Niche {
    direction: usize,
    distance: f64,
}

impl Survival for Niching {
    const CROSSOVER: Crossover = Crossover {
        eta: 30.0,
        pairs: 1.0,
    };

    /// Among feasible parents chance decides: the niches keep the pressure.
    fn compare(_: &Individual, _: &Individual) -> Ordering {
        Ordering::Equal
    }

    fn select(
        &mut self,
        pool: Vec<Individual>,
        size: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Individual> {
        let mut fronts = fronts(pool, size);
        self.plane.learn(&fronts);
        let objectives = fronts[0][0].objectives.len();
        if self.directions.first().map(Vec::len) != Some(objectives) {
            self.directions = directions(objectives, size);
        }
        let last = fronts.pop().unwrap_or_default();
        let mut survivors: Vec<Individual> = fronts.into_iter().flatten().collect();
        let room = size - survivors.len();
        if last.len() <= room {
            survivors.extend(last);
            return survivors;
        }
        let mut followers = vec![0; self.directions.len()];
        for niche in self.niches(&survivors) {
            followers[niche.direction] += 1;
        }
        let mut chosen = fill(&self.niches(&last), &mut followers, room, rng);
        chosen.sort_unstable();
        let mut chosen = chosen.into_iter().peekable();
        let last = last.into_iter().enumerate();
        survivors.extend(last.filter_map(|(i, individual)| {
            chosen.next_if_eq(&i)?;
            Some(individual)
        }));
        survivors
    }
}

impl Niching {
    fn niches(&self, individuals: &[Individual]) -> Vec<Niche> {
        let niches = individuals.iter().map(|individual| {
            let point = self.plane.scaled(&individual.objectives);
            let all = self.directions.iter().enumerate();
            let all = all.map(|(direction, along)| Niche {
                direction,
                distance: distance(&point, along),
            });
            all.min_by(|a, b| a.distance.total_cmp(&b.distance))
                .expect("there is a direction")
        });
        niches.collect()
    }
}

/// Distance of a point from the line through the origin.
fn distance(point: &[f64], along: &[f64]) -> f64 {
    let (mut product, mut length) = (0.0, 0.0);
    for (a, b) in point.iter().zip(along) {
        product += a * b;
        length += b * b;
    }
    let share = product / length;
    let off = point
        .iter()
        .zip(along)
        .map(|(a, b)| (a - share * b).powi(2));
    off.sum::<f64>().sqrt()
}

/// `room` of the individuals, from the least followed directions on: the nearest where nobody
/// follows yet, else anyone.
fn fill(
    niches: &[Niche],
    followers: &mut [usize],
    room: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<usize> {
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); followers.len()];
    for (i, niche) in niches.iter().enumerate() {
        waiting[niche.direction].push(i);
    }
    let mut chosen = Vec::with_capacity(room);
    while chosen.len() < room {
        let open = (0..waiting.len()).filter(|&d| !waiting[d].is_empty());
        let least = open.clone().map(|d| followers[d]).min().unwrap_or_default();
        let mut next: Vec<usize> = open.filter(|&d| followers[d] == least).collect();
        next.shuffle(rng);
        for direction in next.into_iter().take(room - chosen.len()) {
            let here = &mut waiting[direction];
            let place = if followers[direction] == 0 {
                let near = (0..here.len()).min_by(|&a, &b| {
                    niches[here[a]]
                        .distance
                        .total_cmp(&niches[here[b]].distance)
                });
                near.expect("somebody waits")
            } else {
                rng.random_range(0..here.len())
            };
            chosen.push(here.swap_remove(place));
            followers[direction] += 1;
        }
    }
    chosen
}
