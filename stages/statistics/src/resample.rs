use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Bootstrap resamples of draws: numbers of draws, taken with replacement. The same for every
/// configuration, so that what is compared stays paired by draw.
#[derive(Debug)]
pub struct Resamples {
    generator: ChaCha8Rng,
    draws: usize,
    left: usize,
}

impl Resamples {
    /// `count` resamples of `draws` draws, from a fixed seed.
    #[must_use]
    pub fn new(draws: usize, count: usize) -> Self {
        Self {
            generator: ChaCha8Rng::seed_from_u64(0),
            draws,
            left: if draws == 0 { 0 } else { count },
        }
    }
}

impl Iterator for Resamples {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        self.left = self.left.checked_sub(1)?;
        let (generator, draws) = (&mut self.generator, self.draws);
        Some(
            (0..draws)
                .map(|_| generator.random_range(0..draws))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Resamples;

    #[test]
    fn resamples_repeat_and_reach_every_draw() {
        let taken: Vec<Vec<usize>> = Resamples::new(4, 200).collect();
        assert_eq!(taken, Resamples::new(4, 200).collect::<Vec<_>>());
        assert_eq!(taken.len(), 200);
        for draw in 0..4 {
            assert!(taken.iter().flatten().any(|d| *d == draw));
        }
        assert_eq!(Resamples::new(0, 5).count(), 0);
    }
}
