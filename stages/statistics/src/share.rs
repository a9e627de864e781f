use statrs::distribution::{Beta, ContinuousCDF};

/// 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % interval of a share, from `hits` of `n`; none without observations.
#[must_use]
pub fn wilson(hits: u64, n: u64) -> Option<(f64, f64)> {
    if n == 0 {
        return None;
    }
    let (share, n) = (hits as f64 / n as f64, n as f64);
    let middle = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    Some((
        ((middle - half) / whole).max(0.0),
        ((middle + half) / whole).min(1.0),
    ))
}

/// One-sided 95 % upper bound of a share (Clopper and Pearson 1934), from `hits` among `n`
/// independent observations; neither needs to be whole, since dependent ones count for less.
/// None without observations.
#[must_use]
pub fn upper_share(hits: f64, n: f64) -> Option<f64> {
    if n <= 0.0 {
        return None;
    }
    if hits >= n {
        return Some(1.0);
    }
    let beta = Beta::new(hits + 1.0, n - hits).ok()?;
    Some(beta.inverse_cdf(0.95))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_is_that_of_the_textbook() {
        let (low, high) = wilson(8, 10).unwrap();
        assert!(
            (low - 0.490_2).abs() < 1e-3 && (high - 0.943_3).abs() < 1e-3,
            "{low} {high}"
        );
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(0, 5).unwrap().0, 0.0);
    }

    #[test]
    fn no_hit_among_59_leaves_at_most_5_percent() {
        // The rule of three: 1 - 0.05^(1/n).
        let bound = upper_share(0.0, 59.0).unwrap();
        assert!(
            (bound - (1.0 - 0.05_f64.powf(1.0 / 59.0))).abs() < 1e-6,
            "{bound}"
        );
        assert!(upper_share(2.0, 59.0).unwrap() > bound);
        assert_eq!(upper_share(0.0, 0.0), None);
    }
}
