use std::f64::consts::{PI, SQRT_2};

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::StandardNormal;
use statrs::function::erf::erf;

use super::split::Weighted;
use crate::dimension::Dimension;
use crate::point::Point;
use crate::space::Space;

/// Weight of the uniform component; Optuna's.
const PRIOR: f64 = 1.0;
/// Width over the range of a knob, and over the spread of the points. Chosen on the reference
/// problems, means over 12 to 40 seeds; differences of a third matter little.
const EVEN_WIDTH: f64 = 0.09;
const SPREAD: f64 = 0.6;
/// Logs of densities that differ by more do not add up in double precision.
const NEGLIGIBLE: f64 = 40.0;
/// Least width: finer differences are noise.
const LEAST_WIDTH: f64 = 0.01;
/// As many points that lie anywhere are added to the spread of the good ones, which a few that
/// are near by chance would else understate. Chosen as above.
const BELIEF: f64 = 3.0;
const UNIFORM_VARIANCE: f64 = 1.0 / 12.0;

/// A density over a space: a kernel around each of some points, and a uniform part.
pub(crate) struct Mixture {
    kernels: Vec<Kernel>,
}

/// One component: a factor per dimension.
struct Kernel {
    /// Share of the whole.
    weight: f64,
    log_weight: f64,
    factors: Vec<Factor>,
}

/// The density of one gene.
#[derive(Clone, Copy)]
enum Factor {
    /// The same everywhere.
    Uniform { log: f64 },
    /// A normal distribution, cut at 0 and 1.
    Normal { mean: f64, width: f64, log: f64 },
    /// A category and all others.
    Category { at: f64, same: f64, other: f64 },
}

impl Mixture {
    /// Where the good points are.
    pub(crate) fn of_good(space: &Space, points: &Weighted<'_>) -> Self {
        let widths = (0..space.len()).map(|i| spread_width(points, i));
        Self::of(space, points, &widths.collect::<Vec<_>>())
    }

    /// Where the others are.
    pub(crate) fn of_others(space: &Space, points: &Weighted<'_>) -> Self {
        let width = even_width(points.len(), space.len());
        Self::of(space, points, &vec![width; space.len()])
    }

    fn of(space: &Space, points: &Weighted<'_>, widths: &[f64]) -> Self {
        let total: f64 = PRIOR + points.iter().map(|(_, weight)| weight).sum::<f64>();
        let kernel = |factors, weight: f64| Kernel {
            weight: weight / total,
            log_weight: (weight / total).ln(),
            factors,
        };
        let prior = kernel(space.dimensions().map(Factor::uniform).collect(), PRIOR);
        let around = points.iter().map(|(point, weight)| {
            let active = space.active(point);
            let genes = space.dimensions().zip(&point.genes).zip(widths).zip(active);
            let factors = genes.map(|(((dimension, gene), width), active)| {
                if active {
                    Factor::around(dimension, *gene, *width, points.len())
                } else {
                    Factor::uniform(dimension)
                }
            });
            kernel(factors.collect(), *weight)
        });
        Self {
            kernels: std::iter::once(prior).chain(around).collect(),
        }
    }

    /// A draw.
    pub(crate) fn sample(&self, space: &Space, rng: &mut ChaCha8Rng) -> Point {
        let mut left: f64 = rng.random();
        let chosen = self.kernels.iter().find(|kernel| {
            left -= kernel.weight;
            left < 0.0
        });
        let chosen = chosen.unwrap_or(&self.kernels[0]);
        let factors = chosen.factors.iter().zip(space.dimensions());
        Point {
            genes: factors
                .map(|(factor, dimension)| factor.sample(dimension, rng))
                .collect(),
        }
    }

    /// The log of the density at a point, over the knobs that are active there.
    pub(crate) fn log_density(&self, point: &Point, active: &[bool]) -> f64 {
        let (mut most, mut sum) = (f64::NEG_INFINITY, 0.0);
        for kernel in &self.kernels {
            let genes = kernel.factors.iter().zip(&point.genes).zip(active);
            let log = genes.fold(kernel.log_weight, |log, ((factor, gene), active)| {
                if *active {
                    log + factor.log_density(*gene)
                } else {
                    log
                }
            });
            if log > most {
                sum = sum * (most - log).exp() + 1.0;
                most = log;
            } else if log > most - NEGLIGIBLE {
                sum += (log - most).exp();
            }
        }
        most + sum.ln()
    }
}

/// Width of every kernel of the others along any dimension: as in Optuna it falls with their
/// number alone, but narrower, so that they push away from where they are and not from around it.
fn even_width(points: usize, dimensions: usize) -> f64 {
    (EVEN_WIDTH * shrinking(points, dimensions)).max(1.0 / (1.0 + points as f64))
}

/// Width of the kernels of the good ones along dimension `i`: it follows how far they are spread
/// (Scott 1992), so that it shrinks along the dimensions that are settled.
fn spread_width(points: &Weighted<'_>, i: usize) -> f64 {
    let total: f64 = points.iter().map(|(_, weight)| weight).sum();
    let genes = || {
        points
            .iter()
            .map(|(point, weight)| (point.genes[i], weight / total))
    };
    let mean: f64 = genes().map(|(gene, weight)| weight * gene).sum();
    let variance: f64 = genes()
        .map(|(gene, weight)| weight * (gene - mean).powi(2))
        .sum();
    let count = points.len() as f64;
    let variance = (count * variance + BELIEF * UNIFORM_VARIANCE) / (count + BELIEF);
    let dimensions = points.first().map_or(1, |(point, _)| point.genes.len());
    (SPREAD * variance.sqrt() * shrinking(points.len(), dimensions)).max(LEAST_WIDTH)
}

fn shrinking(points: usize, dimensions: usize) -> f64 {
    (points.max(1) as f64).powf(-1.0 / (dimensions as f64 + 4.0))
}

impl Factor {
    fn uniform(dimension: &Dimension) -> Self {
        let values = dimension.categories().unwrap_or(1);
        Self::Uniform {
            log: -(values as f64).ln(),
        }
    }

    /// Around the gene of one of some points. Categories: each point counts one, and the prior
    /// one over all points.
    fn around(dimension: &Dimension, gene: f64, width: f64, points: usize) -> Self {
        let Some(values) = dimension.categories() else {
            let mass = below((1.0 - gene) / width) - below(-gene / width);
            return Self::Normal {
                mean: gene,
                width,
                log: -(mass * width * (2.0 * PI).sqrt()).ln(),
            };
        };
        let share = PRIOR / (points as f64 + PRIOR);
        let all = 1.0 + share * values as f64;
        Self::Category {
            at: gene,
            same: ((1.0 + share) / all).ln(),
            other: (share / all).ln(),
        }
    }

    fn log_density(self, gene: f64) -> f64 {
        match self {
            Self::Uniform { log } => log,
            Self::Normal { mean, width, log } => log - 0.5 * ((gene - mean) / width).powi(2),
            Self::Category { at, same, .. } if at == gene => same,
            Self::Category { other, .. } => other,
        }
    }

    fn sample(self, dimension: &Dimension, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Uniform { .. } => dimension.sample(rng),
            Self::Normal { mean, width, .. } => loop {
                let gene = mean + width * rng.sample::<f64, _>(StandardNormal);
                if (0.0..=1.0).contains(&gene) {
                    return gene;
                }
            },
            Self::Category { at, same, other } => {
                // What the category has more than any other; the rest is even.
                if rng.random::<f64>() < same.exp() - other.exp() {
                    at
                } else {
                    dimension.sample(rng)
                }
            }
        }
    }
}

/// Standard normal distribution function.
fn below(x: f64) -> f64 {
    0.5 * (1.0 + erf(x / SQRT_2))
}
