/// How an objective is measured against the baseline: the log of the ratio where the baseline's
/// value is positive, since latency and cost span magnitudes and a linear volume saturates; else
/// the difference, relative to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// The baseline's value.
    pub(crate) baseline: f64,
    /// Whether larger is better.
    pub(crate) maximize: bool,
}

impl Scale {
    /// Coordinate up to which the volume counts: ln 1.1, a tenth worse than the baseline.
    pub(crate) const REFERENCE: f64 = 0.095_310_179_804_324_86;
    /// Smaller ratios count as this one, so that 0 has a coordinate. Chosen: beyond any effect of
    /// a configuration.
    const LEAST_RATIO: f64 = 1e-3;

    /// Where a value lies; 0 is the baseline, below is better.
    pub(crate) fn coordinate(self, value: f64) -> f64 {
        let worse = if self.baseline > 0.0 {
            (value / self.baseline).max(Self::LEAST_RATIO).ln()
        } else if self.baseline < 0.0 {
            (value - self.baseline) / -self.baseline
        } else {
            value
        };
        if self.maximize { -worse } else { worse }
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn a_tenth_worse_lies_on_the_reference_in_both_directions() {
        let small = Scale {
            baseline: 4.0,
            maximize: false,
        };
        let large = Scale {
            baseline: 4.0,
            maximize: true,
        };
        assert!((small.coordinate(4.4) - Scale::REFERENCE).abs() < 1e-12);
        assert!((large.coordinate(4.0 / 1.1) - Scale::REFERENCE).abs() < 1e-12);
        assert!(small.coordinate(2.0) < 0.0 && large.coordinate(8.0) < 0.0);
    }

    #[test]
    fn zero_and_negative_values_have_coordinates() {
        let scale = Scale {
            baseline: 0.02,
            maximize: false,
        };
        assert!(scale.coordinate(0.0).is_finite());
        let zero = Scale {
            baseline: 0.0,
            maximize: false,
        };
        assert_eq!(zero.coordinate(0.5), 0.5);
        let negative = Scale {
            baseline: -2.0,
            maximize: false,
        };
        assert_eq!(negative.coordinate(-1.0), 0.5);
    }
}
