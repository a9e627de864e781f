//! Right or wrong: Tango's score interval of a paired difference, and McNemar's exact test.

use statrs::distribution::{Binomial, ContinuousCDF as _, DiscreteCDF as _, Normal};

use super::Inference;

/// Halvings of [-1, 1]: to the last digit that matters.
const HALVINGS: u32 = 60;

/// How the answers of `n` items differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table {
    /// Right with the variant alone.
    pub(crate) gained: u64,
    /// Right with the reference alone.
    pub(crate) lost: u64,
    pub(crate) n: u64,
}

impl Table {
    /// Bounds at one-sided level `alpha`, Tango 1998 (Statistics in Medicine 17, 891), and the
    /// exact one-sided McNemar test.
    pub(crate) fn infer(self, alpha: f64) -> Inference {
        let z = Normal::standard().inverse_cdf(1.0 - alpha);
        Inference {
            lo: self.cross(-1.0, z),
            hi: self.cross(1.0, -z),
            p_worse: self.p_worse(),
        }
    }

    /// Where the score statistic crosses `z`, between `end` and the observed difference.
    fn cross(self, end: f64, z: f64) -> f64 {
        let estimate = (self.gained as f64 - self.lost as f64) / self.n as f64;
        let (mut outside, mut inside) = (end, estimate);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(outside, inside);
            if self.statistic(middle).abs() > z.abs() {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        f64::midpoint(outside, inside)
    }

    /// Score statistic of the hypothesis that the true difference is `difference`.
    fn statistic(self, difference: f64) -> f64 {
        let (b, c, n) = (self.gained as f64, self.lost as f64, self.n as f64);
        // the share lost, at its most likely under the hypothesis
        let linear = -b - c + (2.0 * n - b + c) * difference;
        let constant = -c * difference * (1.0 - difference);
        let root = (linear * linear - 8.0 * n * constant).max(0.0).sqrt();
        let lost = (root - linear) / (4.0 * n);
        let variance = n * (2.0 * lost + difference * (1.0 - difference));
        let distance = b - c - n * difference;
        if distance == 0.0 {
            return 0.0;
        }
        distance / variance.max(0.0).sqrt()
    }

    fn p_worse(self) -> f64 {
        let discordant = self.gained + self.lost;
        let tosses = Binomial::new(0.5, discordant).expect("a half is a probability");
        tosses.cdf(self.gained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tango_interval_is_the_published_one() {
        // Fagerland, Lydersen, Laake 2014, Statistics in Medicine 33, 2850, table II: airway
        // hyper-responsiveness, n = 21: -0.286 (-0.517 to -0.026).
        let table = Table {
            gained: 1,
            lost: 7,
            n: 21,
        };
        let Inference { lo, hi, p_worse } = table.infer(0.025);
        assert!(
            (lo + 0.517).abs() < 5e-4 && (hi + 0.026).abs() < 5e-4,
            "{lo} {hi}"
        );
        // (1 + 8) / 2^8
        assert!((p_worse - 9.0 / 256.0).abs() < 1e-12);
    }

    #[test]
    fn equal_answers_bound_the_difference_by_their_number() {
        let Inference { lo, hi, p_worse } = Table {
            gained: 0,
            lost: 0,
            n: 100,
        }
        .infer(0.05);
        let z2 = super::super::Z_95.powi(2);
        assert!((lo + z2 / (100.0 + z2)).abs() < 1e-9, "{lo}");
        assert!((lo + hi).abs() < 1e-9 && p_worse == 1.0);
    }
}
