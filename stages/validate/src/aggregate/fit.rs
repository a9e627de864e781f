//! Simulate-and-fit of the two coefficients that sweeps tell something of.

use sbt_simulator::{Coefficients, StepSource, Term, Terms};

/// Logarithms of what host work and mixed attention are multiplied with.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Overheads {
    pub(crate) host: f64,
    pub(crate) mixed: f64,
}

/// Standard deviations before anything is measured: host work is 0.3 to 4 ms a step, decode
/// attention beside a prompt takes 1.3 to 5 times that alone.
const PRIOR_SD: Overheads = Overheads {
    host: 0.7,
    mixed: 0.7,
};
/// Mean absolute error of a simulated logarithm, which weighs the prior against the points.
const NOISE: f64 = 0.05;
/// First and last step of the search.
const STEPS: (f64, f64) = (0.6, 0.05);
/// Coefficients stay within a factor of e^3 to either side.
const FURTHEST: f64 = 3.0;

impl Overheads {
    pub(crate) fn source(self) -> StepSource {
        let mut coefficients: Coefficients = Terms::all(1.0);
        coefficients[Term::Host] = self.host.exp();
        coefficients[Term::MixedAttention] = self.mixed.exp();
        StepSource {
            coefficients,
            ..StepSource::default()
        }
    }

    /// Steps along both axes.
    fn around(self, step: f64) -> [Self; 4] {
        let moved = |host: f64, mixed: f64| Self {
            host: (self.host + host).clamp(-FURTHEST, FURTHEST),
            mixed: (self.mixed + mixed).clamp(-FURTHEST, FURTHEST),
        };
        [
            moved(step, 0.0),
            moved(-step, 0.0),
            moved(0.0, step),
            moved(0.0, -step),
        ]
    }

    fn distance(self, centre: Self) -> f64 {
        let host = (self.host - centre.host) / PRIOR_SD.host;
        let mixed = (self.mixed - centre.mixed) / PRIOR_SD.mixed;
        (host * host + mixed * mixed) / 2.0
    }
}

/// The overheads with the least absolute errors, drawn towards a centre. `errors`: logarithms of
/// simulated against measured under overheads.
pub(crate) fn fit<E>(
    centre: Overheads,
    mut errors: impl FnMut(Overheads) -> Result<Vec<f64>, E>,
) -> Result<Overheads, E> {
    let mut loss = |at: Overheads| -> Result<f64, E> {
        let errors: f64 = errors(at)?.iter().map(|error| error.abs()).sum();
        Ok(errors + NOISE * at.distance(centre))
    };
    let (mut best, mut least, mut step) = (centre, loss(centre)?, STEPS.0);
    while step >= STEPS.1 {
        let mut better = None;
        for next in best.around(step) {
            let found = loss(next)?;
            if found < least {
                (least, better) = (found, Some(next));
            }
        }
        match better {
            Some(next) => best = next,
            None => step /= 2.0,
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Points whose logarithms hang together with both overheads.
    fn of_truth(truth: Overheads) -> impl Fn(Overheads) -> Result<Vec<f64>, Infallible> {
        move |at| {
            let (host, mixed) = (at.host - truth.host, at.mixed - truth.mixed);
            Ok(vec![
                0.4 * host,
                0.5 * mixed,
                0.3 * host + 0.2 * mixed,
                0.1 * host,
            ])
        }
    }

    #[test]
    fn what_the_points_say_is_found() {
        let truth = Overheads {
            host: 0.8,
            mixed: -0.5,
        };
        let found = fit(Overheads::default(), of_truth(truth)).unwrap();
        assert!((found.host - truth.host).abs() < 0.06, "{found:?}");
        assert!((found.mixed - truth.mixed).abs() < 0.06, "{found:?}");
    }

    #[test]
    fn nothing_said_leaves_the_centre() {
        let centre = Overheads {
            host: 0.2,
            mixed: 0.3,
        };
        let found = fit(centre, |_| Ok::<_, Infallible>(vec![0.1])).unwrap();
        assert_eq!(found, centre);
    }
}
