use statrs::distribution::{ContinuousCDF, StudentsT};

/// Two-sided level.
const LEVEL: f64 = 0.95;

/// Mean over seeds with its t-interval; without bounds for fewer than two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) mean: f64,
    pub(crate) lo: Option<f64>,
    pub(crate) hi: Option<f64>,
}

impl Interval {
    /// Of independent values; none of no values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let half = StudentsT::new(0.0, 1.0, n - 1.0).ok().map(|t| {
            let sd = (squares / (n - 1.0)).sqrt();
            t.inverse_cdf(f64::midpoint(1.0, LEVEL)) * sd / n.sqrt()
        });
        Some(Self {
            mean,
            lo: half.map(|half| mean - half),
            hi: half.map(|half| mean + half),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_values_use_students_quantile_of_four_degrees() {
        let found = Interval::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        // t(0.975, 4) = 2.776, sd = 1.581
        assert!((found.hi.unwrap() - (3.0 + 2.776_445 * 1.581_139 / 5_f64.sqrt())).abs() < 1e-4);
    }

    #[test]
    fn one_value_has_no_bounds_and_none_has_no_mean() {
        let one = Interval::of(&[2.0]).unwrap();
        assert_eq!((one.mean, one.lo, one.hi), (2.0, None, None));
        assert_eq!(Interval::of(&[]), None);
    }
}
