use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::point::Point;
use crate::sampler::{Evaluation, Sampler};
use crate::space::Space;

/// Uniform over the space: what every other sampler has to beat.
pub(crate) struct Random {
    space: Space,
    rng: ChaCha8Rng,
}

impl Random {
    pub(crate) fn new(space: &Space, seed: u64) -> Self {
        Self {
            space: space.clone(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }
}

impl Sampler for Random {
    fn ask(&mut self, n: usize) -> Vec<Point> {
        (0..n).map(|_| self.space.sample(&mut self.rng)).collect()
    }

    fn tell(&mut self, _: &[(Point, Evaluation)]) {}
}
