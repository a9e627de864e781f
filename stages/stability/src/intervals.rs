use statrs::distribution::{ContinuousCDF, StudentsT};

/// Two-sided level of every interval.
const LEVEL: f64 = 0.95;

/// Mean over seeds with its t-interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub(crate) mean: f64,
    pub(crate) sd: Option<f64>,
    pub(crate) lo: Option<f64>,
    pub(crate) hi: Option<f64>,
    pub(crate) n: u64,
}

/// Student's interval of the mean of independent values; without bounds for fewer than two.
pub(crate) fn interval(values: &[f64]) -> Option<Interval> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let count = n as f64;
    let mean = values.iter().sum::<f64>() / count;
    let sd = (n > 1).then(|| {
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        (squares / (count - 1.0)).sqrt()
    });
    let half = sd.and_then(|sd| {
        let t = StudentsT::new(0.0, 1.0, count - 1.0).ok()?;
        Some(t.inverse_cdf(0.5 + LEVEL / 2.0) * sd / count.sqrt())
    });
    Some(Interval {
        mean,
        sd,
        lo: half.map(|half| mean - half),
        hi: half.map(|half| mean + half),
        n: n as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_values_use_students_quantile_of_four_degrees() {
        let found = interval(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        // t(0.975, 4) = 2.776, sd = 1.581
        assert!((found.hi.unwrap() - (3.0 + 2.776_445 * 1.581_139 / 5_f64.sqrt())).abs() < 1e-4);
    }

    #[test]
    fn one_value_has_no_bounds_and_none_has_no_mean() {
        let one = interval(&[2.0]).unwrap();
        assert_eq!((one.mean, one.lo, one.hi), (2.0, None, None));
        assert_eq!(interval(&[]), None);
    }
}
