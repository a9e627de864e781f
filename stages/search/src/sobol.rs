use crate::point::Point;
use crate::sampler::{Evaluation, Sampler};
use crate::space::Space;

/// Points of one scrambled sequence.
const LENGTH: usize = 1 << 16;

/// The Sobol sequence with the direction numbers of Joe and Kuo 2008, Owen-scrambled (Burley
/// 2020): every stretch of a power of two is spread evenly over each knob.
pub struct Sobol {
    space: Space,
    seed: u32,
    asked: usize,
}

impl Sobol {
    /// A sampler of the sequence that `seed` scrambles.
    #[must_use]
    pub fn new(space: &Space, seed: u64) -> Self {
        Self {
            space: space.clone(),
            seed: (seed ^ (seed >> 32)) as u32,
            asked: 0,
        }
    }

    /// Point `index` of the sequence. Beyond the lengths of the sequence and of its dimensions
    /// go on others with a scramble of their own.
    pub(crate) fn point(&self, index: usize) -> Point {
        let coordinate = |dimension: usize| {
            let (set, dimension) = dimension_in_set(dimension);
            let sequence = (index / LENGTH) as u32;
            let seed = self.seed.wrapping_add(set).wrapping_add(sequence << 16);
            f64::from(sobol_burley::sample(
                (index % LENGTH) as u32,
                dimension,
                seed,
            ))
        };
        let genes = self.space.dimensions().enumerate();
        let genes = genes.map(|(i, dimension)| dimension.gene(coordinate(i)));
        Point {
            genes: genes.collect(),
        }
    }
}

fn dimension_in_set(dimension: usize) -> (u32, u32) {
    let (dimension, count) = (dimension as u32, sobol_burley::NUM_DIMENSIONS);
    (dimension / count, dimension % count)
}

impl Sampler for Sobol {
    fn ask(&mut self, n: usize) -> Vec<Point> {
        let indices = self.asked..self.asked + n;
        self.asked += n;
        indices.map(|index| self.point(index)).collect()
    }

    fn tell(&mut self, _: &[(Point, Evaluation)]) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dimension::Dimension;

    fn space(knobs: usize) -> Space {
        let float = |i| {
            let dimension = Dimension::Float {
                min: 0.0,
                max: 1.0,
                log: false,
            };
            (format!("x{i:03}"), dimension)
        };
        Space::of((0..knobs).map(float))
    }

    #[test]
    fn every_knob_has_one_point_in_each_stratum() {
        let points = Sobol::new(&space(300), 7).ask(128);
        for knob in 0..300 {
            let mut strata: Vec<usize> = points
                .iter()
                .map(|point| (point.genes[knob] * 128.0) as usize)
                .collect();
            strata.sort_unstable();
            assert_eq!(strata, (0..128).collect::<Vec<_>>(), "knob {knob}");
        }
    }

    #[test]
    fn the_first_two_knobs_are_spread_together() {
        let points = Sobol::new(&space(2), 3).ask(64);
        let mut cells: Vec<usize> = points
            .iter()
            .map(|point| (point.genes[0] * 8.0) as usize * 8 + (point.genes[1] * 8.0) as usize)
            .collect();
        cells.sort_unstable();
        assert_eq!(cells, (0..64).collect::<Vec<_>>());
    }

    #[test]
    fn seeds_scramble_and_categories_share_evenly() {
        let space = Space::of([("b".to_owned(), Dimension::Bool)]);
        let points = Sobol::new(&space, 1).ask(64);
        let on = points.iter().filter(|point| point.genes[0] == 1.0);
        assert_eq!(on.count(), 32);
        let floats = self::space(1);
        assert_ne!(Sobol::new(&floats, 1).ask(4), Sobol::new(&floats, 2).ask(4));
        assert_ne!(
            Sobol::new(&floats, 1).point(0),
            Sobol::new(&floats, 1).point(LENGTH)
        );
    }
}
