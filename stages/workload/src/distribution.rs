use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problems::Problems;
use crate::weighted::Weighted;

/// 0.95 quantile of the standard normal distribution.
const Z95: f64 = 1.644_853_626_951_472_7;

/// How a number of tokens, turns or seconds is drawn. Tokens and turns are rounded to whole
/// numbers, at least 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Distribution {
    /// Always the same.
    Fixed {
        /// The value.
        value: f64,
    },
    /// Each value of a range alike; whole numbers include both ends.
    Uniform {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// Normal.
    Normal {
        /// Mean, before the limits.
        mean: f64,
        /// Standard deviation, before the limits.
        sd: f64,
        /// Values below become this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// Values above become this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// Lognormal, given by `mean` and `p95`, or by `mu` and `sigma`.
    Lognormal {
        /// Mean, before the limits; with `p95`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mean: Option<f64>,
        /// 95th percentile, before the limits: above the mean, and at most 3.86 times it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        p95: Option<f64>,
        /// Mean of the logarithm; with `sigma`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mu: Option<f64>,
        /// Standard deviation of the logarithm.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sigma: Option<f64>,
        /// Values below become this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// Values above become this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// One of several distributions.
    Mixture {
        /// The distributions with their weights.
        parts: Vec<Part>,
    },
    /// One of the given values.
    Empirical {
        /// The values.
        values: Vec<f64>,
        /// Their weights; all alike when left out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        weights: Vec<f64>,
    },
}

/// One part of a mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// How often it is taken, relative to the other parts.
    pub weight: f64,
    /// What is taken.
    pub of: Distribution,
}

impl Distribution {
    /// Always this value.
    pub(crate) const fn fixed(value: f64) -> Self {
        Self::Fixed { value }
    }

    /// One value, as it is.
    pub(crate) fn sample(&self, rng: &mut impl Rng) -> f64 {
        match self {
            Self::Fixed { value } => *value,
            Self::Uniform { min, max } => min + (max - min) * rng.random::<f64>(),
            Self::Normal { mean, sd, min, max } => {
                limited(mean + sd * standard_normal(rng), *min, *max)
            }
            Self::Lognormal {
                mean,
                p95,
                mu,
                sigma,
                min,
                max,
            } => {
                let (mu, sigma) = lognormal(*mean, *p95, *mu, *sigma)
                    .expect("the parameters were checked when the stage was planned");
                limited((mu + sigma * standard_normal(rng)).exp(), *min, *max)
            }
            Self::Mixture { parts } => self.part(parts, rng).sample(rng),
            Self::Empirical { values, weights } => values[choice(values, weights).pick(rng)],
        }
    }

    /// One whole number, at least 1.
    pub(crate) fn sample_whole(&self, rng: &mut impl Rng) -> u64 {
        match self {
            Self::Uniform { min, max } => {
                let (min, max) = (whole(*min), whole(*max));
                rng.random_range(min..=max)
            }
            Self::Mixture { parts } => self.part(parts, rng).sample_whole(rng),
            Self::Fixed { .. }
            | Self::Normal { .. }
            | Self::Lognormal { .. }
            | Self::Empirical { .. } => whole(self.sample(rng)),
        }
    }

    fn part<'a>(&self, parts: &'a [Part], rng: &mut impl Rng) -> &'a Self {
        &parts[Weighted::new(parts.iter().map(|part| part.weight)).pick(rng)].of
    }

    /// What is wrong with the parameters.
    pub(crate) fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        match self {
            Self::Fixed { value } => problems.not_negative("value", *value),
            Self::Uniform { min, max } => {
                problems.not_negative("min", *min);
                in_order(&mut problems, Some(*min), Some(*max));
            }
            Self::Normal { mean, sd, min, max } => {
                problems.not_negative("mean", *mean);
                problems.not_negative("sd", *sd);
                in_order(&mut problems, *min, *max);
            }
            Self::Lognormal {
                mean,
                p95,
                mu,
                sigma,
                min,
                max,
            } => {
                if let Err(message) = lognormal(*mean, *p95, *mu, *sigma) {
                    problems.require(false, "kind", message);
                }
                in_order(&mut problems, *min, *max);
            }
            Self::Mixture { parts } => {
                let weights: Vec<f64> = parts.iter().map(|part| part.weight).collect();
                weights_add_up(&mut problems, "parts", &weights);
                for (index, part) in parts.iter().enumerate() {
                    let mut inner = Problems::default();
                    inner.under("of", part.of.problems());
                    let mut outer = Problems::default();
                    outer.under(&index.to_string(), inner);
                    problems.under("parts", outer);
                }
            }
            Self::Empirical { values, weights } => {
                problems.require(!values.is_empty(), "values", "names no value");
                let fine = values.iter().all(|v| v.is_finite() && *v >= 0.0);
                problems.require(fine, "values", "must all be 0 or more");
                if !weights.is_empty() {
                    let (weighed, valued) = (weights.len(), values.len());
                    let message = format!("{weighed} weights for {valued} values");
                    problems.require(weighed == valued, "weights", message);
                    weights_add_up(&mut problems, "weights", weights);
                }
            }
        }
        problems
    }
}

fn choice(values: &[f64], weights: &[f64]) -> Weighted {
    if weights.is_empty() {
        Weighted::new(values.iter().map(|_| 1.0))
    } else {
        Weighted::new(weights.iter().copied())
    }
}

fn standard_normal(rng: &mut impl Rng) -> f64 {
    rng.sample(StandardNormal)
}

fn limited(value: f64, min: Option<f64>, max: Option<f64>) -> f64 {
    let value = min.map_or(value, |min| value.max(min));
    max.map_or(value, |max| value.min(max))
}

fn whole(value: f64) -> u64 {
    value.round().max(1.0) as u64
}

/// Parameters (μ, σ) of a lognormal distribution. From mean m and 95th percentile q:
/// ln m = μ + σ²/2 and ln q = μ + zσ, so σ = z − √(z² − 2 ln(q/m)), the narrower of two solutions.
fn lognormal(
    mean: Option<f64>,
    p95: Option<f64>,
    mu: Option<f64>,
    sigma: Option<f64>,
) -> Result<(f64, f64), String> {
    match (mean, p95, mu, sigma) {
        (Some(mean), Some(p95), None, None) => {
            let log_ratio = (p95 / mean).ln();
            let square = Z95 * Z95 - 2.0 * log_ratio;
            if !(mean > 0.0 && p95.is_finite() && log_ratio >= 0.0 && square >= 0.0) {
                let most = (Z95 * Z95 / 2.0).exp();
                return Err(format!(
                    "no lognormal distribution has mean {mean} and p95 {p95}: p95 must lie between 1 and {most:.2} times the mean"
                ));
            }
            let sigma = Z95 - square.sqrt();
            Ok((mean.ln() - sigma * sigma / 2.0, sigma))
        }
        (None, None, Some(mu), Some(sigma)) if mu.is_finite() && sigma.is_finite() => {
            if sigma >= 0.0 {
                Ok((mu, sigma))
            } else {
                Err(format!("`sigma` must be 0 or more, not {sigma}"))
            }
        }
        _ => Err(
            "a lognormal distribution is given by `mean` and `p95`, or by `mu` and `sigma`".into(),
        ),
    }
}

fn in_order(problems: &mut Problems, min: Option<f64>, max: Option<f64>) {
    if let (Some(min), Some(max)) = (min, max) {
        let message = format!("must be at least `min` ({min}), not {max}");
        problems.require(min <= max && max.is_finite(), "max", message);
    }
}

fn weights_add_up(problems: &mut Problems, key: &str, weights: &[f64]) {
    let fine =
        weights.iter().all(|w| w.is_finite() && *w >= 0.0) && weights.iter().sum::<f64>() > 0.0;
    problems.require(
        fine,
        key,
        "weights must be 0 or more, and one of them above 0",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Streams;

    fn samples(distribution: &Distribution, count: usize) -> Vec<f64> {
        let mut rng = Streams { seed: 7, draw: 0 }.rng("test");
        let mut samples: Vec<f64> = (0..count).map(|_| distribution.sample(&mut rng)).collect();
        samples.sort_by(f64::total_cmp);
        samples
    }

    fn mean(samples: &[f64]) -> f64 {
        samples.iter().sum::<f64>() / samples.len() as f64
    }

    fn lognormal(mean: f64, p95: f64) -> Distribution {
        Distribution::Lognormal {
            mean: Some(mean),
            p95: Some(p95),
            mu: None,
            sigma: None,
            min: None,
            max: None,
        }
    }

    #[test]
    fn lognormal_by_mean_and_p95_has_both() {
        for (m, p95) in [(64.0, 160.0), (96.0, 220.0), (700.0, 1600.0)] {
            let samples = samples(&lognormal(m, p95), 40_000);
            assert!(
                (mean(&samples) / m - 1.0).abs() < 0.02,
                "mean {}",
                mean(&samples)
            );
            let found = samples[samples.len() * 95 / 100];
            assert!((found / p95 - 1.0).abs() < 0.03, "p95 {found}");
        }
    }

    #[test]
    fn lognormal_with_impossible_p95_is_refused_with_the_possible_range() {
        let errors = lognormal(100.0, 400.0)
            .problems()
            .into_result()
            .unwrap_err();
        assert_eq!(
            errors[0].message,
            "no lognormal distribution has mean 100 and p95 400: p95 must lie between 1 and 3.87 times the mean"
        );
    }

    #[test]
    fn mixture_has_the_mean_of_its_parts() {
        let part = |weight, mean| Part {
            weight,
            of: Distribution::Normal {
                mean,
                sd: 50.0,
                min: None,
                max: None,
            },
        };
        let parts = vec![part(0.6, 512.0), part(0.4, 1200.0)];
        let found = mean(&samples(&Distribution::Mixture { parts }, 20_000));
        assert!((found / 787.2 - 1.0).abs() < 0.01, "{found}");
    }

    #[test]
    fn whole_uniform_gives_both_ends_as_often_as_the_middle() {
        let turns = Distribution::Uniform { min: 3.0, max: 6.0 };
        let mut rng = Streams { seed: 7, draw: 0 }.rng("test");
        let mut counts = [0_u32; 8];
        for _ in 0..4000 {
            counts[turns.sample_whole(&mut rng) as usize] += 1;
        }
        assert_eq!(counts[..3].iter().sum::<u32>() + counts[7], 0);
        assert!(
            counts[3..7].iter().all(|n| (900..1100).contains(n)),
            "{counts:?}"
        );
    }

    #[test]
    fn limits_hold() {
        let limited = Distribution::Normal {
            mean: 10.0,
            sd: 50.0,
            min: Some(5.0),
            max: Some(20.0),
        };
        let samples = samples(&limited, 1000);
        assert!(samples.iter().all(|s| (5.0..=20.0).contains(s)));
    }

    #[test]
    fn empirical_without_weights_takes_all_values_alike() {
        let empirical = Distribution::Empirical {
            values: vec![10.0, 30.0],
            weights: Vec::new(),
        };
        let found = mean(&samples(&empirical, 4000));
        assert!((found - 20.0).abs() < 1.0, "{found}");
    }

    #[test]
    fn golden_samples_do_not_change() {
        let golden = |distribution: &Distribution| {
            let mut rng = Streams { seed: 42, draw: 0 }.rng("golden");
            [(); 4].map(|()| distribution.sample_whole(&mut rng))
        };
        let normal = Distribution::Normal {
            mean: 260.0,
            sd: 90.0,
            min: None,
            max: None,
        };
        let uniform = Distribution::Uniform {
            min: 1.0,
            max: 1000.0,
        };
        assert_eq!(golden(&normal), [170, 360, 329, 157]);
        assert_eq!(golden(&lognormal(700.0, 1600.0)), [311, 1150, 927, 284]);
        assert_eq!(golden(&uniform), [184, 939, 848, 131]);
    }
}
