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

/// Values that a real-valued knob has at most. Chosen: finer differences are noise.
const FLOAT_VALUES: f64 = 1e4;

impl Dimension {
    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self {
            Self::Int { min, max, .. } if min > max => Some("`min` is greater than `max`"),
            Self::Int { min, max, .. } if max.checked_sub(*min).is_none() => {
                Some("`min` and `max` are too far apart")
            }
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

    /// Whether a value is one of its own; real numbers are compared with no value.
    pub(crate) fn has(&self, value: &Knob) -> bool {
        match (self, value) {
            (Self::Int { min, max, step, .. }, Knob::Int(value)) => {
                (*min..=*max).contains(value) && (value - min) % step == 0
            }
            (Self::Choice { values }, value) => values.contains(value),
            (Self::Bool, Knob::Bool(_)) => true,
            (Self::Int { .. } | Self::Float { .. } | Self::Bool, _) => false,
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
                let value = rounded(within(*min, *max, *log, gene), decimals(*min, *max, *log));
                Knob::Float(value.clamp(*min, *max))
            }
            Self::Choice { values } => values[(gene as usize).min(values.len() - 1)].clone(),
            Self::Bool => Knob::Bool(gene >= 1.0),
        }
    }

    /// Which value a gene stands for: equal numbers, equal knobs.
    pub(crate) fn index(&self, gene: f64) -> i64 {
        match self {
            Self::Int {
                min,
                max,
                step,
                log,
            } => (whole(*min, *max, *step, *log, gene) - min) / step,
            Self::Float { min, max, log } => {
                let scale = 10_f64.powi(decimals(*min, *max, *log));
                (within(*min, *max, *log, gene) * scale).round() as i64
            }
            Self::Choice { .. } | Self::Bool => gene as i64,
        }
    }

    /// The gene at a share of the dimension: 0 is its start, 1 beyond its end.
    pub(crate) fn gene(&self, share: f64) -> f64 {
        match self.categories() {
            Some(count) => (share * count as f64).floor(),
            None => share,
        }
    }

    /// A random gene.
    pub(crate) fn sample(&self, rng: &mut ChaCha8Rng) -> f64 {
        self.gene(rng.random())
    }
}

/// Every value has an equal share of the gene's range.
fn whole(min: i64, max: i64, step: i64, log: bool, gene: f64) -> i64 {
    let count = (max - min) / step + 1;
    let place = if log {
        let (low, high) = (min as f64, max as f64 + step as f64);
        (within(low, high, true, gene) - low) / step as f64
    } else {
        gene * count as f64
    };
    min + (place.floor() as i64).clamp(0, count - 1) * step
}

/// Decimals that are worth keeping: the finest that give no more than [`FLOAT_VALUES`] values.
fn decimals(min: f64, max: f64, log: bool) -> i32 {
    let width = if log { min } else { max - min };
    if width > 0.0 {
        (FLOAT_VALUES / width).log10().floor().clamp(-300.0, 300.0) as i32
    } else {
        0
    }
}

fn rounded(value: f64, decimals: i32) -> f64 {
    if decimals < 0 {
        let grain = 10_f64.powi(-decimals);
        (value / grain).round() * grain
    } else {
        let scale = 10_f64.powi(decimals);
        (value * scale).round() / scale
    }
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

    #[test]
    fn real_numbers_are_rounded_to_their_range() {
        let float = |min, max, log| Dimension::Float { min, max, log };
        assert_eq!(
            float(0.8, 0.95, false).decode(0.123_456),
            Knob::Float(0.8185)
        );
        assert_eq!(
            float(0.0, 1e-3, false).decode(0.123_456),
            Knob::Float(1.235e-4)
        );
        assert_eq!(
            float(0.0, 1e6, false).decode(0.123_456),
            Knob::Float(123_500.0)
        );
        assert_eq!(float(0.5, 0.5, false).decode(0.3), Knob::Float(0.5));
    }

    #[test]
    fn what_cannot_be_a_dimension_is_refused() {
        let int = |min, max, step, log| Dimension::Int {
            min,
            max,
            step,
            log,
        };
        for bad in [
            int(2, 1, 1, false),
            int(1, 2, 0, false),
            int(0, 8, 1, true),
            int(i64::MIN, i64::MAX, 1, false),
            Dimension::Float {
                min: 0.0,
                max: 1.0,
                log: true,
            },
            Dimension::Float {
                min: 0.0,
                max: f64::NAN,
                log: false,
            },
            Dimension::Choice { values: Vec::new() },
        ] {
            assert!(bad.problem().is_some(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn equal_indices_are_equal_knobs(log: bool, a in 0.0..=1.0_f64, b in 0.0..=1.0_f64) {
            for dimension in [
                Dimension::Int { min: 16, max: 64, step: 8, log },
                Dimension::Float { min: 0.80, max: 0.95, log },
            ] {
                let same = dimension.index(a) == dimension.index(b);
                prop_assert_eq!(same, dimension.decode(a) == dimension.decode(b));
            }
        }

        #[test]
        fn integers_keep_bounds_and_step(min in 1_i64..100, width in 0_i64..1000, step in 1_i64..50, log: bool, gene in 0.0..=1.0_f64) {
            let int = Dimension::Int { min, max: min + width, step, log };
            let Knob::Int(value) = int.decode(gene) else { unreachable!() };
            prop_assert!((min..=min + width).contains(&value));
            prop_assert_eq!((value - min) % step, 0);
        }
    }
}
