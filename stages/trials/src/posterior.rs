use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use sbt_schemas::CalibrationRow;
use sbt_simulator::{Coefficients, Term, Terms};

use crate::Cholesky;

/// Coefficients of these logarithms, in the order of [`Term::ALL`].
#[must_use]
pub fn coefficients(logs: &[f64]) -> Coefficients {
    let mut coefficients = Terms::all(1.0);
    for (term, log) in Term::ALL.into_iter().zip(logs) {
        coefficients[term] = log.exp();
    }
    coefficients
}

/// Draws of coefficients whose logarithms, in the order of [`Term::ALL`], are normal; none when the
/// covariance is not positive definite.
#[must_use]
pub fn posterior_draws(
    log_mean: &[f64],
    log_covariance: &[Vec<f64>],
    n: usize,
    seed: u64,
) -> Vec<Coefficients> {
    let Some(spread) = Cholesky::of(log_covariance) else {
        return Vec::new();
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draws = (0..n).map(|_| {
        let z: Vec<f64> = log_mean
            .iter()
            .map(|_| StandardNormal.sample(&mut rng))
            .collect();
        let moved = spread.times(&z);
        let logs = log_mean.iter().zip(moved).map(|(mean, by)| mean + by);
        coefficients(&logs.collect::<Vec<f64>>())
    });
    draws.collect()
}

/// Draws of what table `calibration` says; none when nothing was calibrated.
pub(crate) fn draws_of(rows: &[CalibrationRow], n: usize, seed: u64) -> Vec<Coefficients> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mean: Vec<f64> = rows.iter().map(|row| row.log_mean).collect();
    let covariance: Vec<Vec<f64>> = rows.iter().map(|row| row.log_covariance.clone()).collect();
    posterior_draws(&mean, &covariance, n, seed)
}
