//! The coefficients of the step time under which the simulator shows what the first requests of a
//! run measured.

use sbt_simulator::Step;

use super::posterior::{Method, Posterior, source};
use super::regression::{Found, Logs, Problem, Residuals, regress, spread};
use super::steps::{Steps, reconstruct};
use crate::latencies::{Latencies, Metric};
use crate::scene::{Scene, SceneError};

/// Fits the coefficients to the first `n` measured requests: to the steps that the times of their
/// tokens tell, else to their latencies, for which all of the workload is served.
pub(crate) fn fit(scene: &Scene, n: usize) -> Result<Posterior, SceneError> {
    match reconstruct(scene, n) {
        Some(steps) => fit_steps(scene, n, &steps),
        None => fit_requests(scene, n),
    }
}

/// To the latencies of the first requests.
pub(super) fn fit_requests(scene: &Scene, n: usize) -> Result<Posterior, SceneError> {
    let found = regress(&OfRequests { scene, n })?;
    let remains = [found.sd[0], found.sd[1], found.sd[2]];
    Ok(posterior(found, remains, Method::Requests))
}

/// To steps; what remains of single requests is seen when they are served once.
fn fit_steps(scene: &Scene, n: usize, steps: &Steps) -> Result<Posterior, SceneError> {
    let found = regress(&OfSteps { scene, n, steps })?;
    let remains = OfRequests { scene, n }.residuals(&found.logs)?;
    let sd = spread(&remains);
    Ok(posterior(found, [sd[0], sd[1], sd[2]], Method::Steps))
}

fn posterior(found: Found, remains: [f64; 3], method: Method) -> Posterior {
    Posterior {
        mean: found.logs.to_vec(),
        covariance: found.covariance,
        remains,
        method,
    }
}

struct OfRequests<'a> {
    scene: &'a Scene,
    n: usize,
}

impl Problem for OfRequests<'_> {
    fn residuals(&self, logs: &Logs) -> Result<Residuals, SceneError> {
        let simulated = self.scene.simulate(&source(logs))?;
        let of_metric = |metric| {
            let pairs = simulated.iter().zip(&self.scene.measured).take(self.n);
            pairs
                .map(|(s, m)| log_ratio(m, s, metric).unwrap_or(0.0))
                .collect()
        };
        Ok(Metric::ALL.map(of_metric).to_vec())
    }

    /// Requests that were in flight together went through the same steps, and say what one of
    /// them says.
    fn shared(&self) -> f64 {
        self.scene.in_flight_together(self.n).max(1.0)
    }
}

struct OfSteps<'a> {
    scene: &'a Scene,
    n: usize,
    steps: &'a Steps,
}

impl Problem for OfSteps<'_> {
    fn residuals(&self, logs: &Logs) -> Result<Residuals, SceneError> {
        let server = self.scene.machine.launch(&source(logs))?;
        let kinds = [&self.steps.pure, &self.steps.mixed];
        let of_kind = |steps: &Vec<(f64, Step)>| {
            let ratios = steps.iter().map(|(s, step)| (s / server.step_s(step)).ln());
            ratios.collect()
        };
        Ok(kinds.map(of_kind).to_vec())
    }

    /// What the model misses of a step it misses of all that are like it: so many steps as
    /// requests were measured count.
    fn shared(&self) -> f64 {
        let steps = self.steps.pure.len() + self.steps.mixed.len();
        (steps as f64 / self.n.max(1) as f64).max(1.0)
    }
}

fn log_ratio(measured: &Latencies, simulated: &Latencies, metric: Metric) -> Option<f64> {
    let ratio = measured.get(metric)? / simulated.get(metric)?;
    (ratio > 0.0 && ratio.is_finite()).then(|| ratio.ln())
}
