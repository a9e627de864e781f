use crate::calibrate::Posterior;
use crate::latencies::{Latencies, Metric};
use crate::scene::{Scene, SceneError};

/// 95 % quantile of the normal distribution: an interval of 90 % leaves 5 % on each side.
const QUANTILE: f64 = 1.644_853_626_951_472;

/// An interval of 90 %, seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Interval {
    pub(crate) fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// Intervals of each metric and request: the spread over draws of the coefficients, and what
/// remains of single requests under the right ones. Both are spreads of logarithms.
pub(crate) fn intervals(
    scene: &Scene,
    centre: &[Latencies],
    posterior: &Posterior,
    draws: usize,
    seed: u64,
) -> Result<[Vec<Option<Interval>>; 3], SceneError> {
    let sources = posterior.draws(draws, seed);
    let runs = sources.iter().map(|source| scene.simulate(source));
    let runs: Vec<Vec<Latencies>> = runs.collect::<Result<_, _>>()?;
    let mut index = 0..;
    Ok(Metric::ALL.map(|metric| {
        let remains = index.next().map_or(0.0, |i: usize| posterior.remains[i]);
        let of_request = |(request, at): (usize, &Latencies)| {
            let at = at.get(metric)?;
            let drawn = runs.iter().filter_map(|run| run[request].get(metric));
            let squares = drawn.map(|value| (value / at).ln().powi(2));
            let spread = squares.sum::<f64>() / runs.len().max(1) as f64;
            let reach = QUANTILE * (spread + remains * remains).sqrt();
            Some(Interval {
                low: at * (-reach).exp(),
                high: at * reach.exp(),
            })
        };
        centre.iter().enumerate().map(of_request).collect()
    }))
}
