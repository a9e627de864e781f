use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use sbt_trials::Knob;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Values that one knob may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Dimension {
    /// Whole numbers.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
        /// Distance between values, counted from the least.
        #[serde(default = "one")]
        step: i64,
        /// Whether ratios count rather than differences.
        #[serde(default)]
        log: bool,
    },
    /// Real numbers.
    Float {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
        /// Whether ratios count rather than differences.
        #[serde(default)]
        log: bool,
    },
    /// One of some values, without an order.
    Choice {
        /// The values.
        values: Vec<Knob>,
    },
    /// On or off.
    Bool,
}

fn one() -> i64 {
    1
}

/// Decimals that a real-valued knob keeps: finer differences are noise.
const FLOAT_DECIMALS: f64 = 1e4;

impl Dimension {
    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Int { min, max, .. } if min > max => Some("`min` is greater than `max`"),
            Self::Int { step, .. } if *step < 1 => Some("`step` must be at least 1"),
            Self::Int { min, log: true, .. } if *min < 1 => {
                Some("`log` needs a `min` of at least 1")
            }
            Self::Float { min, max, .. } if !(min <= max && max.is_finite() && min.is_finite()) => {
                Some("`min` and `max` must be finite, in this order")
            }
            Self::Float { min, log: true, .. } if *min <= 0.0 => {
                Some("`log` needs a positive `min`")
            }
            Self::Choice { values } if values.is_empty() => Some("`values` is empty"),
            Self::Int { .. } | Self::Float { .. } | Self::Choice { .. } | Self::Bool => None,
        }
    }

    /// Number of values of an unordered dimension; none when its genes are real numbers.
    pub(crate) fn categories(&self) -> Option<usize> {
        match self {
            Self::Choice { values } => Some(values.len()),
            Self::Bool => Some(2),
            Self::Int { .. } | Self::Float { .. } => None,
        }
    }

    /// The value of a gene: a place in 0..1, or the number of a category.
    pub(crate) fn decode(&self, gene: f64) -> Knob {
        match self {
            Self::Int {
                min,
                max,
                step,
                log,
            } => Knob::Int(whole(*min, *max, *step, *log, gene)),
            Self::Float { min, max, log } => {
                let value = within(*min, *max, *log, gene);
                Knob::Float(((value * FLOAT_DECIMALS).round() / FLOAT_DECIMALS).clamp(*min, *max))
            }
            Self::Choice { values } => values[(gene as usize).min(values.len() - 1)].clone(),
            Self::Bool => Knob::Bool(gene >= 1.0),
        }
    }

    /// A random gene.
    pub(crate) fn sample(&self, rng: &mut ChaCha8Rng) -> f64 {
        match self.categories() {
            Some(count) => rng.random_range(0..count) as f64,
            None => rng.random(),
        }
    }
}

/// Every value has an equal share of the gene's range.
fn whole(min: i64, max: i64, step: i64, log: bool, gene: f64) -> i64 {
    let count = (max - min) / step + 1;
    let place = if log {
        let (low, high) = (min as f64, (max + step) as f64);
        (within(low, high, true, gene) - low) / step as f64
    } else {
        gene * count as f64
    };
    min + (place.floor() as i64).clamp(0, count - 1) * step
}

fn within(min: f64, max: f64, log: bool, gene: f64) -> f64 {
    if log {
        min * (max / min).powf(gene)
    } else {
        min + (max - min) * gene
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_of_the_range_are_reached() {
        let int = Dimension::Int {
            min: 16,
            max: 256,
            step: 8,
            log: true,
        };
        assert_eq!(int.decode(0.0), Knob::Int(16));
        assert_eq!(int.decode(1.0), Knob::Int(256));
        assert_eq!(Dimension::Bool.decode(1.0), Knob::Bool(true));
    }

    proptest! {
        #[test]
        fn integers_keep_bounds_and_step(min in 1_i64..100, width in 0_i64..1000, step in 1_i64..50, log: bool, gene in 0.0..=1.0_f64) {
            let int = Dimension::Int { min, max: min + width, step, log };
            let Knob::Int(value) = int.decode(gene) else { unreachable!() };
            prop_assert!((min..=min + width).contains(&value));
            prop_assert_eq!((value - min) % step, 0);
        }
    }
}
