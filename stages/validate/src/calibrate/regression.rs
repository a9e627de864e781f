//! Regression on logarithms of the coefficients, with a prior and with outliers.

use sbt_simulator::Term;
use sbt_trials::Cholesky;

use super::prior::prior_sd;
use crate::scene::SceneError;

/// Logarithms of the coefficients, in the order of [`Term::ALL`].
pub(super) type Logs = [f64; Term::ALL.len()];

/// log(measured / simulated) by kind of what was measured and by observation; 0 where there is
/// none.
pub(super) type Residuals = Vec<Vec<f64>>;

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

/// What was measured, against what coefficients make of it.
pub(super) trait Problem {
    fn residuals(&self, logs: &Logs) -> Result<Residuals, SceneError>;

    /// Observations that say the same and count as one.
    fn shared(&self) -> f64;
}

/// The most likely coefficients, how sure they are, and the spread by kind that remains.
pub(super) struct Found {
    pub(super) logs: Logs,
    pub(super) covariance: Vec<Vec<f64>>,
    pub(super) sd: Vec<f64>,
}

/// Looks for the coefficients under which least remains.
pub(super) fn regress(problem: &impl Problem) -> Result<Found, SceneError> {
    let shared = problem.shared();
    let mut logs = [0.0; Term::ALL.len()];
    let mut residuals = problem.residuals(&logs)?;
    let mut jacobian = jacobian(problem, &logs)?;
    for _ in 0..ITERATIONS {
        let weights = Weights::of(&residuals, shared);
        let step = newton(&jacobian, &residuals, &weights, &logs);
        let Some((next, met)) = shortened(problem, &logs, &step, &residuals, &weights)? else {
            break;
        };
        let moved = next.iter().zip(&logs).map(|(a, b)| (a - b).abs());
        let moved = moved.fold(0.0, f64::max);
        (logs, residuals) = (next, met);
        jacobian = self::jacobian(problem, &logs)?;
        if moved < CONVERGED {
            break;
        }
    }
    let weights = Weights::of(&residuals, shared);
    let information = information(&jacobian, &residuals, &weights);
    let covariance = Cholesky::of(&information).expect("a prior makes it positive definite");
    Ok(Found {
        logs,
        covariance: covariance.inverse(),
        sd: weights.sd,
    })
}

/// Derivative of the simulated logarithms by each coefficient's.
fn jacobian(problem: &impl Problem, logs: &Logs) -> Result<Vec<Residuals>, SceneError> {
    let columns = (0..logs.len()).map(|i| {
        let step = STEP * prior_sd(Term::ALL[i]);
        let moved = |by: f64| {
            let mut logs = *logs;
            logs[i] += by;
            problem.residuals(&logs)
        };
        let (below, above) = (moved(-step)?, moved(step)?);
        let of_kind = |(below, above): (&Vec<f64>, &Vec<f64>)| {
            let pairs = below.iter().zip(above);
            pairs.map(|(b, a)| (b - a) / (2.0 * step)).collect()
        };
        Ok(below.iter().zip(&above).map(of_kind).collect())
    });
    columns.collect()
}

/// The longest of the step, its half, quarter … that improves; none when none does.
fn shortened(
    problem: &impl Problem,
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
        let met = problem.residuals(&next)?;
        if loss(&met, weights, &next) < before {
            return Ok(Some((next, met)));
        }
    }
    Ok(None)
}

/// How much each kind's residuals say.
struct Weights {
    sd: Vec<f64>,
    /// Requests that were in flight together went through the same steps, and say what one of
    /// them says: so many count as one.
    shared: f64,
}

/// Spread of each kind, by the median of the absolute residuals, which outliers do not widen.
pub(super) fn spread(residuals: &Residuals) -> Vec<f64> {
    let of_kind = |residuals: &Vec<f64>| {
        let centre = median(residuals.clone());
        let sizes = residuals.iter().map(|r| (r - centre).abs()).collect();
        (1.4826 * median(sizes)).max(LEAST_SD)
    };
    residuals.iter().map(of_kind).collect()
}

impl Weights {
    fn of(residuals: &Residuals, shared: f64) -> Self {
        Self {
            sd: spread(residuals),
            shared,
        }
    }

    fn at(&self, metric: usize, residual: f64) -> f64 {
        let scaled = residual / self.sd[metric];
        (TAILS + 1.0) / (TAILS + scaled * scaled) / self.sd[metric].powi(2) / self.shared
    }
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn loss(residuals: &Residuals, weights: &Weights, logs: &Logs) -> f64 {
    let of_data = residuals
        .iter()
        .zip(&weights.sd)
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
        for m in 0..residuals.len() {
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
            for m in 0..residuals.len() {
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
