//! Simulate-and-fit: the coefficients of the step time under which the simulator shows what the
//! first requests of a run measured.

use sbt_simulator::Term;

use super::matrix::Cholesky;
use super::posterior::{Posterior, source};
use super::prior::prior_sd;
use crate::latencies::{Latencies, Metric};
use crate::scene::{Scene, SceneError};

/// Logarithms of the coefficients, in the order of [`Term::ALL`].
type Logs = [f64; Term::ALL.len()];

/// Step of the finite differences in prior standard deviations: what it changes must be large
/// against the jumps of a schedule, of which every small change causes some.
const STEP: f64 = 0.5;
const ITERATIONS: usize = 20;
/// A step this small ends the search.
const CONVERGED: f64 = 1e-3;
/// Degrees of freedom of Student's t: a first request that waited for a cold start says little.
const TAILS: f64 = 4.0;
/// Least standard deviation of what remains: what measured kernels leave of TPOT and E2E.
const LEAST_SD: f64 = 0.02;

/// Fits the coefficients to the first `n` measured requests; all of the workload is served.
pub(crate) fn fit(scene: &Scene, n: usize) -> Result<Posterior, SceneError> {
    let problem = Problem { scene, n };
    let shared = scene.in_flight_together(n).max(1.0);
    let mut logs = [0.0; Term::ALL.len()];
    let mut residuals = problem.residuals(&logs)?;
    let mut jacobian = problem.jacobian(&logs)?;
    for _ in 0..ITERATIONS {
        let weights = Weights::of(&residuals, shared);
        let step = newton(&jacobian, &residuals, &weights, &logs);
        let Some((next, met)) = problem.shortened(&logs, &step, &residuals, &weights)? else {
            break;
        };
        let moved = next.iter().zip(&logs).map(|(a, b)| (a - b).abs());
        let moved = moved.fold(0.0, f64::max);
        (logs, residuals) = (next, met);
        jacobian = problem.jacobian(&logs)?;
        if moved < CONVERGED {
            break;
        }
    }
    let weights = Weights::of(&residuals, shared);
    let information = information(&jacobian, &residuals, &weights);
    let covariance = Cholesky::of(&information).expect("a prior makes it positive definite");
    Ok(Posterior {
        mean: logs.to_vec(),
        covariance: covariance.inverse(),
        remains: weights.sd,
    })
}

/// log(measured / simulated) by metric and request; 0 where there is none.
type Residuals = [Vec<f64>; 3];

struct Problem<'a> {
    scene: &'a Scene,
    n: usize,
}

impl Problem<'_> {
    fn residuals(&self, logs: &Logs) -> Result<Residuals, SceneError> {
        let simulated = self.scene.simulate(&source(logs))?;
        Ok(Metric::ALL.map(|metric| {
            let pairs = simulated.iter().zip(&self.scene.measured).take(self.n);
            pairs
                .map(|(s, m)| log_ratio(m, s, metric).unwrap_or(0.0))
                .collect()
        }))
    }

    /// Derivative of the simulated logarithms by each coefficient's.
    fn jacobian(&self, logs: &Logs) -> Result<Vec<Residuals>, SceneError> {
        let columns = (0..logs.len()).map(|i| {
            let step = STEP * prior_sd(Term::ALL[i]);
            let moved = |by: f64| {
                let mut logs = *logs;
                logs[i] += by;
                self.residuals(&logs)
            };
            let (below, above) = (moved(-step)?, moved(step)?);
            Ok([0, 1, 2].map(|m| {
                let pairs = below[m].iter().zip(&above[m]);
                pairs.map(|(b, a)| (b - a) / (2.0 * step)).collect()
            }))
        });
        columns.collect()
    }

    /// The longest of the step, its half, quarter … that improves; none when none does.
    fn shortened(
        &self,
        logs: &Logs,
        step: &[f64],
        residuals: &Residuals,
        weights: &Weights,
    ) -> Result<Option<(Logs, Residuals)>, SceneError> {
        let before = loss(residuals, weights, logs);
        for halvings in 0..4 {
            let mut next = *logs;
            for (log, step) in next.iter_mut().zip(step) {
                *log += step * 0.5_f64.powi(halvings);
            }
            let met = self.residuals(&next)?;
            if loss(&met, weights, &next) < before {
                return Ok(Some((next, met)));
            }
        }
        Ok(None)
    }
}

fn log_ratio(measured: &Latencies, simulated: &Latencies, metric: Metric) -> Option<f64> {
    let ratio = measured.get(metric)? / simulated.get(metric)?;
    (ratio > 0.0 && ratio.is_finite()).then(|| ratio.ln())
}

/// How much each metric's residuals say.
struct Weights {
    sd: [f64; 3],
    /// Requests that were in flight together went through the same steps, and say what one of
    /// them says: so many count as one.
    shared: f64,
}

impl Weights {
    /// Spread by the median of the absolute residuals, which outliers do not widen.
    fn of(residuals: &Residuals, shared: f64) -> Self {
        let sd = residuals.each_ref().map(|of_metric| {
            let centre = median(of_metric.clone());
            let sizes = of_metric.iter().map(|r| (r - centre).abs()).collect();
            (1.4826 * median(sizes)).max(LEAST_SD)
        });
        Self { sd, shared }
    }

    fn at(&self, metric: usize, residual: f64) -> f64 {
        let scaled = residual / self.sd[metric];
        (TAILS + 1.0) / (TAILS + scaled * scaled) / self.sd[metric].powi(2) / self.shared
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn loss(residuals: &Residuals, weights: &Weights, logs: &Logs) -> f64 {
    let of_data = residuals
        .iter()
        .zip(weights.sd)
        .flat_map(|(of_metric, sd)| {
            let scaled = of_metric.iter().map(move |r| r / sd);
            scaled.map(|r| (TAILS + 1.0) / 2.0 * (1.0 + r * r / TAILS).ln())
        });
    let of_prior = logs
        .iter()
        .zip(Term::ALL)
        .map(|(log, term)| (log / prior_sd(term)).powi(2) / 2.0);
    of_data.sum::<f64>() / weights.shared + of_prior.sum::<f64>()
}

fn information(jacobian: &[Residuals], residuals: &Residuals, weights: &Weights) -> Vec<Vec<f64>> {
    let product = |a: &Residuals, b: &Residuals| {
        let mut sum = 0.0;
        for m in 0..3 {
            for (i, residual) in residuals[m].iter().enumerate() {
                sum += a[m][i] * b[m][i] * weights.at(m, *residual);
            }
        }
        sum
    };
    let rows = jacobian
        .iter()
        .zip(Term::ALL)
        .enumerate()
        .map(|(i, (a, term))| {
            let mut row: Vec<f64> = jacobian.iter().map(|b| product(a, b)).collect();
            row[i] += prior_sd(term).powi(-2);
            row
        });
    rows.collect()
}

fn newton(
    jacobian: &[Residuals],
    residuals: &Residuals,
    weights: &Weights,
    logs: &Logs,
) -> Vec<f64> {
    let slope = jacobian
        .iter()
        .zip(Term::ALL)
        .zip(logs)
        .map(|((column, term), log)| {
            let mut sum = -log * prior_sd(term).powi(-2);
            for m in 0..3 {
                for (i, residual) in residuals[m].iter().enumerate() {
                    sum += column[m][i] * residual * weights.at(m, *residual);
                }
            }
            sum
        });
    let slope: Vec<f64> = slope.collect();
    let information = information(jacobian, residuals, weights);
    let cholesky = Cholesky::of(&information).expect("a prior makes it positive definite");
    cholesky.solve(&slope)
}
