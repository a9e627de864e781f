use crate::LEVEL;
use crate::student::student_quantile;

/// A mean of independent values with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// Mean of the values.
    pub mean: f64,
    /// Standard deviation of the values; none for one.
    pub sd: Option<f64>,
    /// Student's bounds of the mean; none for one value.
    pub bounds: Option<(f64, f64)>,
    /// Number of values.
    pub n: usize,
}

/// Mean and sample variance; none without values.
fn moments(values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some((mean, squares / (n - 1.0).max(1.0)))
}

/// Mean of independent values with Student's interval; none without values.
#[must_use]
pub fn mean(values: &[f64]) -> Option<Mean> {
    let (mean, variance) = moments(values)?;
    let n = values.len();
    let t = student_quantile(n - 1, 0.5 + LEVEL / 2.0);
    let half = t.map(|t| t * (variance / n as f64).sqrt());
    Some(Mean {
        mean,
        sd: (n > 1).then(|| variance.sqrt()),
        bounds: half.map(|half| (mean - half, mean + half)),
        n,
    })
}

/// One-sided 95 % lower bound of the mean of independent values (Student); none for fewer than two.
#[must_use]
pub fn lower_bound(values: &[f64]) -> Option<f64> {
    let (mean, variance) = moments(values)?;
    let t = student_quantile(values.len() - 1, LEVEL)?;
    Some(mean - t * (variance / values.len() as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_values_use_students_quantile_of_four_degrees() {
        let found = mean(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        // t(0.975, 4) = 2.776, sd = 1.581
        let (_, high) = found.bounds.unwrap();
        assert!((high - (3.0 + 2.776_445 * 1.581_139 / 5_f64.sqrt())).abs() < 1e-4);
        let lower = lower_bound(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        // t(0.95, 4) = 2.132
        assert!((lower - (3.0 - 2.131_847 * 1.581_139 / 5_f64.sqrt())).abs() < 1e-4);
    }

    #[test]
    fn one_value_has_no_bounds_and_none_has_no_mean() {
        let one = mean(&[2.0]).unwrap();
        assert_eq!((one.mean, one.bounds, one.sd), (2.0, None, None));
        assert_eq!((mean(&[]), lower_bound(&[1.0])), (None, None));
    }
}
