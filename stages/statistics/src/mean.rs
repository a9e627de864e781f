use crate::LEVEL;
use crate::student::student_quantile;

/// Spread of the logs of positive values up to which their mean has the interval of a lognormal
/// one; beyond it a few draws say nothing of it. Measured: study_statistics.
const WIDEST_LOG_SD: f64 = 1.0;

/// A mean over independent draws with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// Mean of the values.
    pub mean: f64,
    /// Standard deviation of the values; none for one.
    pub sd: Option<f64>,
    /// Bounds of the mean, or why there are none.
    pub bounds: Result<(f64, f64), NoBounds>,
    /// Number of values.
    pub n: usize,
}

/// Why an interval has no finite bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoBounds {
    /// One value shows no spread.
    OneValue,
    /// The values differ so much from draw to draw that few of them bound no mean.
    TooWide,
}

impl NoBounds {
    /// The reason in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::OneValue => "one draw shows no spread",
            Self::TooWide => "draws differ too much for so few of them to bound a mean",
        }
    }
}

impl Mean {
    /// Lower and upper bound, where there are some.
    #[must_use]
    pub fn low_high(&self) -> (Option<f64>, Option<f64>) {
        match self.bounds {
            Ok((low, high)) => (Some(low), Some(high)),
            Err(_) => (None, None),
        }
    }
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
        bounds: half
            .map(|half| (mean - half, mean + half))
            .ok_or(NoBounds::OneValue),
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

/// Mean of independent positive values whose spread grows with them, as that of latencies does:
/// skewed to the right near saturation, where Student's interval ends too low. Cox's interval of a
/// lognormal mean with Student's quantile (Olsson 2005, "Confidence intervals for the mean of a
/// log-normal distribution", the modified method). Student's where a value is not positive.
#[must_use]
pub fn positive_mean(values: &[f64]) -> Option<Mean> {
    let plain = mean(values)?;
    if values.iter().any(|v| *v <= 0.0) || values.len() < 2 {
        return Some(plain);
    }
    let logs: Vec<f64> = values.iter().map(|v| v.ln()).collect();
    let (log_mean, log_variance) = moments(&logs)?;
    let n = values.len() as f64;
    let t = student_quantile(values.len() - 1, 0.5 + LEVEL / 2.0)?;
    let middle = log_mean + log_variance / 2.0;
    let half = t * (log_variance / n + log_variance.powi(2) / (2.0 * (n - 1.0))).sqrt();
    let bounds = if log_variance.sqrt() > WIDEST_LOG_SD {
        Err(NoBounds::TooWide)
    } else {
        // The mean of the values and that of the fitted distribution differ in their last digits.
        let (low, high) = ((middle - half).exp(), (middle + half).exp());
        Ok((low.min(plain.mean), high.max(plain.mean)))
    };
    Some(Mean { bounds, ..plain })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;
    use rand_distr::{Distribution, LogNormal};

    use super::*;

    #[test]
    fn five_values_use_students_quantile_of_four_degrees() {
        let found = mean(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        // t(0.975, 4) = 2.776, sd = 1.581
        let high = found.low_high().1.unwrap();
        assert!((high - (3.0 + 2.776_445 * 1.581_139 / 5_f64.sqrt())).abs() < 1e-4);
    }

    #[test]
    fn one_value_has_no_bounds_and_none_has_no_mean() {
        let one = positive_mean(&[2.0]).unwrap();
        assert_eq!((one.mean, one.bounds), (2.0, Err(NoBounds::OneValue)));
        assert_eq!(mean(&[]), None);
        assert!(positive_mean(&[0.0, 1.0]).unwrap().bounds.is_ok());
    }

    #[test]
    fn draws_that_span_magnitudes_bound_no_mean() {
        let wide = positive_mean(&[0.1, 1.0, 10.0]).unwrap();
        assert_eq!(wide.bounds, Err(NoBounds::TooWide));
    }

    /// Share of the intervals of five lognormal values that hold the true mean.
    fn coverage(sigma: f64, of: fn(&[f64]) -> Option<Mean>) -> f64 {
        const TIMES: usize = 4000;
        let values = LogNormal::new(0.0, sigma).unwrap();
        let truth = (sigma * sigma / 2.0).exp();
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let mut hits = 0;
        for _ in 0..TIMES {
            let five: Vec<f64> = (0..5).map(|_| values.sample(&mut generator)).collect();
            let (low, high) = of(&five).unwrap().bounds.unwrap_or((0.0, f64::INFINITY));
            hits += usize::from(low <= truth && truth <= high);
        }
        hits as f64 / TIMES as f64
    }

    #[test]
    fn skewed_means_are_covered_where_students_interval_is_not() {
        for sigma in [0.05, 0.2, 0.5] {
            let covered = coverage(sigma, positive_mean);
            assert!((0.93..=0.975).contains(&covered), "{sigma}: {covered}");
        }
        assert!(coverage(0.8, mean) < 0.90);
    }
}
