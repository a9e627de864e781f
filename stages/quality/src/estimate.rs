use crate::effects::Observation;

/// 95 % quantile of the standard normal distribution: one-sided bounds.
const NORMAL_QUANTILE: f64 = 1.644_853_626_951_472_2;

/// What a variant keeps of the reference's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// Score over reference score.
    pub(crate) relative: f64,
    /// Variance of the logarithm of `relative`; none when a sample size is unknown.
    pub(crate) variance: Option<f64>,
}

impl Estimate {
    /// The reference itself.
    pub(crate) const UNCHANGED: Self = Self {
        relative: 1.0,
        variance: Some(0.0),
    };

    /// Pools benchmarks over their items: the ratio of items answered rightly. The variance takes
    /// the two runs as independent; they answer the same items, so that the true one is smaller.
    /// Benchmarks without items count only when no other has any, and then the lowest does.
    pub(crate) fn pooled(observations: &[Observation]) -> Option<Self> {
        let (mut right, mut right_before, mut spread) = (0.0, 0.0, 0.0);
        for observation in observations {
            if let (Some(before), Some(items)) = (observation.reference, observation.items) {
                let items = items as f64;
                let after = (before * observation.recovery).min(1.0);
                right += items * after;
                right_before += items * before;
                spread += items * (after * (1.0 - after) + before * (1.0 - before));
            }
        }
        if right > 0.0 {
            let mean = f64::midpoint(right, right_before);
            return Some(Self {
                relative: right / right_before,
                variance: Some(spread / (mean * mean)),
            });
        }
        let recoveries = observations.iter().map(|o| o.recovery);
        recoveries.min_by(f64::total_cmp).map(|relative| Self {
            relative,
            variance: None,
        })
    }

    /// Both effects at once, taken as independent.
    pub(crate) fn times(self, other: Self) -> Self {
        Self {
            relative: self.relative * other.relative,
            variance: self.variance.zip(other.variance).map(|(a, b)| a + b),
        }
    }

    /// Lower and upper one-sided 95 % bound of `relative`.
    pub(crate) fn bounds(self) -> Option<(f64, f64)> {
        let factor = (NORMAL_QUANTILE * self.variance?.sqrt()).exp();
        Some((self.relative / factor, self.relative * factor))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn observation(recovery: f64, reference: f64, items: u64) -> Observation {
        Observation {
            recovery,
            reference: Some(reference),
            items: Some(items),
        }
    }

    #[test]
    fn pooling_weighs_by_items() {
        let few = observation(0.5, 0.8, 10);
        let many = observation(1.0, 0.8, 990);
        let pooled = Estimate::pooled(&[few, many]).unwrap();
        assert!((pooled.relative - 0.995).abs() < 1e-12);
        let (low, high) = pooled.bounds().unwrap();
        assert!(low > 0.95 && low < 0.995 && high > 0.995, "{low} {high}");
    }

    #[test]
    fn bound_has_the_width_of_two_independent_shares() {
        // Difference of two shares of 0.8 over 10,000 items: sd 0.00566, of 0.8: 0.00707.
        let pooled = Estimate::pooled(&[observation(1.0, 0.8, 10_000)]).unwrap();
        let (low, _) = pooled.bounds().unwrap();
        assert!(
            (low - (-1.644_854_f64 * 0.007_071).exp()).abs() < 1e-5,
            "{low}"
        );
    }

    #[test]
    fn without_items_the_lowest_counts_and_has_no_bounds() {
        let bare = |recovery| Observation {
            recovery,
            reference: None,
            items: None,
        };
        let pooled = Estimate::pooled(&[bare(0.98), bare(0.97)]).unwrap();
        assert_eq!((pooled.relative, pooled.bounds()), (0.97, None));
        assert_eq!(pooled.times(Estimate::UNCHANGED).bounds(), None);
        assert_eq!(Estimate::pooled(&[]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn effects_multiply_in_any_order_and_uncertainty_grows(
            a in 0.8..1.05_f64, b in 0.8..1.05_f64, n in 50..20_000_u64,
        ) {
            let a = Estimate::pooled(&[observation(a, 0.7, n)]).unwrap();
            let b = Estimate::pooled(&[observation(b, 0.6, n)]).unwrap();
            let both = a.times(b);
            prop_assert!((both.relative - b.times(a).relative).abs() < 1e-12);
            prop_assert!(both.variance > a.variance && both.variance > b.variance);
            let (low, high) = both.bounds().unwrap();
            prop_assert!(low < both.relative && both.relative < high);
        }
    }
}
