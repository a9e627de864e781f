//! Tree-structured Parzen estimator (Bergstra et al. 2011) for several objectives (Ozaki et al.
//! 2022), with constraints, over all knobs at once (Falkner et al. 2018).

mod mixture;
mod split;

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::point::Point;
use crate::sampler::{Evaluation, Sampler};
use crate::sobol::Sobol;
use crate::space::Space;
use mixture::Mixture;
use split::split;

/// Points before the first model. Optuna's default.
const START: usize = 10;
/// Draws from the model of the good ones, of which the best is asked. Optuna's default; more are
/// greedier, which loses pieces of fronts that have several.
const CANDIDATES: usize = 24;
/// Draws of a point that is not known, in a space that is nearly used up.
const FRESH_DRAWS: usize = 100;

/// Models where the good points lie and where the others do, and asks where the first are most
/// likely against the second.
pub struct Tpe {
    space: Space,
    seed: u64,
    start: Sobol,
    told: Vec<(Point, Evaluation)>,
    /// Cells of everything that was told: nothing of it is proposed again.
    known: BTreeSet<Vec<i64>>,
}

impl Tpe {
    /// A sampler that begins with a scrambled Sobol sequence.
    #[must_use]
    pub fn new(space: &Space, seed: u64) -> Self {
        Self {
            space: space.clone(),
            seed,
            start: Sobol::new(space, seed),
            told: Vec::new(),
            known: BTreeSet::new(),
        }
    }

    fn proposal(&self) -> Point {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.told.len() as u64);
        let (good, others) = split(&self.told);
        let good = Mixture::of_good(&self.space, &good);
        let others = Mixture::of_others(&self.space, &others);
        let mut best: Option<(f64, Point)> = None;
        for _ in 0..CANDIDATES {
            let point = good.sample(&self.space, &mut rng);
            let active = self.space.active(&point);
            let gain = good.log_density(&point, &active) - others.log_density(&point, &active);
            if best.as_ref().is_none_or(|(most, _)| gain > *most) && self.is_new(&point) {
                best = Some((gain, point));
            }
        }
        best.map_or_else(|| self.any(&mut rng), |(_, point)| point)
    }

    /// A random point, a new one if it is easily found.
    fn any(&self, rng: &mut ChaCha8Rng) -> Point {
        for _ in 0..FRESH_DRAWS {
            let point = self.space.sample(rng);
            if self.is_new(&point) {
                return point;
            }
        }
        self.space.sample(rng)
    }

    fn is_new(&self, point: &Point) -> bool {
        !self.known.contains(&self.space.cell(point))
    }
}

impl Sampler for Tpe {
    /// The rest of the start at once, then one point at a time.
    fn ask(&mut self, n: usize) -> Vec<Point> {
        let told = self.told.len();
        if told < START {
            let start = told..START.min(told + n);
            start.map(|index| self.start.point(index)).collect()
        } else {
            vec![self.proposal()]
        }
    }

    fn tell(&mut self, told: &[(Point, Evaluation)]) {
        self.known
            .extend(told.iter().map(|(point, _)| self.space.cell(point)));
        self.told.extend(told.iter().cloned());
    }
}

#[cfg(test)]
mod tests;
