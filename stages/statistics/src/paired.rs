use std::sync::LazyLock;

use statrs::distribution::{ContinuousCDF, Normal};

use crate::{LEVEL, mean};

/// Pairs from which Wilcoxon's test can reach 0.05, and its interval has finite 95 % bounds.
const LEAST_PAIRS: usize = 6;
/// Pairs up to which the distribution of rank sums is exact; beyond it is taken as normal.
const MOST_EXACT: usize = 60;
/// Logs of ratios closer than this are no difference: the last digits of a division.
const NOTHING: f64 = 1e-12;

/// A comparison of values paired by draw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Hodges–Lehmann estimate of after / before - 1: the median of the means of all two log
    /// ratios.
    pub change: f64,
    /// 95 % bounds of `change`; none for a single pair.
    pub bounds: Option<(f64, f64)>,
    /// Two-sided p-value of Wilcoxon's signed-rank test that there is no change.
    pub p: f64,
    /// Pairs.
    pub n: usize,
}

impl Paired {
    /// The least x of which the values say with 95 % that the change is no larger in either
    /// direction (two one-sided tests, by the 90 % interval that the 95 % one holds).
    #[must_use]
    pub fn no_larger_than(&self) -> Option<f64> {
        let (low, high) = self.bounds?;
        Some(low.abs().max(high.abs()))
    }
}

/// Compares pairs (before, after) of positive values; what is not positive or not finite is left
/// out. None without a pair.
///
/// From six pairs on, bounds are those of Wilcoxon's signed-rank test (Hollander, Wolfe and
/// Chicken, Nonparametric Statistical Methods, §3.3); of five they are the range, which holds the
/// change with 93.75 %; of fewer they are Student's on the log scale, which take the log ratios as
/// normal.
#[must_use]
pub fn paired(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Paired> {
    let ratios = pairs
        .into_iter()
        .map(|(before, after)| (after / before).ln());
    let logs: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
    let n = logs.len();
    let walsh = walsh_averages(&logs);
    let middle = (*walsh.get((walsh.len().max(1) - 1) / 2)? + walsh[walsh.len() / 2]) / 2.0;
    let bounds = match n {
        LEAST_PAIRS.. => wilcoxon_bounds(&walsh, n),
        _ if n + 1 == LEAST_PAIRS => Some((walsh[0], walsh[walsh.len() - 1])),
        _ => mean(&logs).and_then(|mean| mean.bounds),
    };
    Some(Paired {
        change: middle.exp_m1(),
        bounds: bounds.map(|(low, high)| (low.exp_m1(), high.exp_m1())),
        p: signed_rank_p(&logs),
        n,
    })
}

/// Means of all two values, each with itself too, in rising order.
fn walsh_averages(values: &[f64]) -> Vec<f64> {
    let mut averages = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (i, a) in values.iter().enumerate() {
        averages.extend(values[i..].iter().map(|b| (a + b) / 2.0));
    }
    averages.sort_by(f64::total_cmp);
    averages
}

fn wilcoxon_bounds(walsh: &[f64], n: usize) -> Option<(f64, f64)> {
    // Most rank sums on either side with at most half of what the level leaves.
    let outside = (0..walsh.len()).take_while(|w| below(n, *w) <= (1.0 - LEVEL) / 2.0);
    let outside = outside.last()?;
    Some((
        *walsh.get(outside)?,
        *walsh.get(walsh.len().checked_sub(outside + 1)?)?,
    ))
}

/// P(rank sum <= w) of Wilcoxon's signed-rank statistic for n pairs without a change.
fn below(n: usize, w: usize) -> f64 {
    if n <= MOST_EXACT {
        return EXACT[n].get(w).copied().unwrap_or(1.0);
    }
    let pairs = n as f64;
    let mean = pairs * (pairs + 1.0) / 4.0;
    let sd = (pairs * (pairs + 1.0) * (2.0 * pairs + 1.0) / 24.0).sqrt();
    Normal::standard().cdf((w as f64 + 0.5 - mean) / sd)
}

/// For each number of pairs, what each rank sum has.
static EXACT: LazyLock<Vec<Vec<f64>>> =
    LazyLock::new(|| (0..=MOST_EXACT).map(cumulative).collect());

fn cumulative(n: usize) -> Vec<f64> {
    let mut probability = vec![1.0];
    for rank in 1..=n {
        let mut next = vec![0.0; probability.len() + rank];
        for (sum, p) in probability.iter().enumerate() {
            next[sum] += p / 2.0;
            next[sum + rank] += p / 2.0;
        }
        probability = next;
    }
    let mut total = 0.0;
    for p in &mut probability {
        total += *p;
        *p = total;
    }
    probability
}

/// Exact for ranks without ties; tied ones share their mean rank, rounded against a finding.
fn signed_rank_p(logs: &[f64]) -> f64 {
    let mut changed: Vec<f64> = logs.iter().copied().filter(|v| v.abs() > NOTHING).collect();
    if changed.is_empty() {
        return 1.0;
    }
    changed.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let rank = |value: f64| {
        let of_less = changed.partition_point(|v| v.abs() < value.abs() - NOTHING);
        let to_same = changed.partition_point(|v| v.abs() <= value.abs() + NOTHING);
        (of_less + 1 + to_same) as f64 / 2.0
    };
    let sum = |sign: f64| -> f64 {
        let of_sign = changed.iter().filter(|v| **v * sign > 0.0);
        of_sign.map(|v| rank(*v)).sum()
    };
    let least = sum(1.0).min(sum(-1.0)).ceil() as usize;
    (2.0 * below(changed.len(), least)).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn against_one(after: &[f64]) -> Paired {
        paired(after.iter().map(|v| (1.0, *v))).unwrap()
    }

    #[test]
    fn six_pairs_that_agree_reach_0_031_and_five_do_not_reach_0_05() {
        let six = against_one(&[1.1, 1.2, 1.15, 1.3, 1.25, 1.18]);
        assert!((six.p - 0.031_25).abs() < 1e-12, "{six:?}");
        assert_eq!(six.bounds.map(|(low, _)| low > 0.0), Some(true));
        let five = against_one(&[1.1, 1.2, 1.15, 1.3, 1.25]);
        assert!((five.p - 0.0625).abs() < 1e-12);
        assert_eq!(against_one(&[1.1]).bounds, None);
    }

    #[test]
    fn rank_sums_have_the_table_s_critical_values() {
        // Hollander, Wolfe and Chicken, table A.4: P(T <= 8) for n = 10 is 0.024.
        assert!((below(10, 8) - 0.024_4).abs() < 1e-3 && (below(10, 9) - 0.032_2).abs() < 1e-3);
        assert!((below(10, 55) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn normal_rank_sums_follow_the_exact_ones() {
        let exact = cumulative(MOST_EXACT + 1);
        for w in [500, 700, 945] {
            assert!((below(MOST_EXACT + 1, w) - exact[w]).abs() < 2e-3, "{w}");
        }
    }

    #[test]
    fn equal_values_are_no_difference_larger_than_nothing() {
        let same = against_one(&[1.0; 8]);
        assert_eq!(
            (same.change, same.p, same.no_larger_than()),
            (0.0, 1.0, Some(0.0))
        );
        assert_eq!(paired([(0.0, 1.0), (1.0, f64::NAN)]), None);
    }

    #[test]
    fn scattered_values_show_no_difference_but_bound_it() {
        let found = against_one(&[0.99, 1.01, 1.005, 0.996, 1.002, 0.998, 1.004, 0.995]);
        assert!(found.p > 0.05);
        assert!(found.no_larger_than().unwrap() < 0.02);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn swapping_the_sides_mirrors_the_comparison(
            pairs in prop::collection::vec((0.1..9.0_f64, 0.1..9.0_f64), 1..14),
        ) {
            let there = paired(pairs.iter().copied()).unwrap();
            let back = paired(pairs.iter().map(|(a, b)| (*b, *a))).unwrap();
            prop_assert!(((1.0 + there.change) * (1.0 + back.change) - 1.0).abs() < 1e-9);
            prop_assert!((there.p - back.p).abs() < 1e-12);
            if let Some((low, high)) = there.bounds {
                prop_assert!(low <= there.change + 1e-9 && there.change <= high + 1e-9);
            }
        }
    }
}
