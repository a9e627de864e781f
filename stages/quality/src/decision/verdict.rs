use sbt_schemas::Verdict;

use super::binary::Table;
use super::{Inference, Z_80, Z_95, continuous};

/// One item's score with the reference and with the variant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    pub(crate) reference: f64,
    pub(crate) variant: f64,
}

/// What the items of a family say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) n: u64,
    pub(crate) reference: f64,
    pub(crate) variant: f64,
    /// Variant less reference.
    pub(crate) difference: f64,
    pub(crate) inference: Inference,
    /// Items right on one side only; none where scores are no yes or no.
    pub(crate) flips: Option<u64>,
    /// Mean of the squared differences: of right or wrong, how often the two disagree.
    pub(crate) disagreement: f64,
}

/// Compares the scores of some items at one-sided level `alpha`; none without items. `seed` is
/// that of resampling.
pub(crate) fn compare(pairs: &[Pair], alpha: f64, seed: u64) -> Option<Comparison> {
    if pairs.is_empty() {
        return None;
    }
    let n = pairs.len() as f64;
    let mean = |of: &dyn Fn(&Pair) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let differences: Vec<f64> = pairs.iter().map(|p| p.variant - p.reference).collect();
    let is_yes_or_no = |score: f64| score == 0.0 || score == 1.0;
    let binary = pairs
        .iter()
        .all(|p| is_yes_or_no(p.reference) && is_yes_or_no(p.variant));
    let count = |sign: f64| differences.iter().filter(|d| **d * sign > 0.0).count() as u64;
    let table = Table {
        gained: count(1.0),
        lost: count(-1.0),
        n: pairs.len() as u64,
    };
    Some(Comparison {
        n: table.n,
        reference: mean(&|p| p.reference),
        variant: mean(&|p| p.variant),
        difference: mean(&|p| p.variant - p.reference),
        // of graded scores that never differ, resampling would promise that none ever does
        inference: match binary || table.gained + table.lost == 0 {
            true => table.infer(alpha),
            false => continuous::infer(&differences, alpha, seed),
        },
        flips: binary.then_some(table.gained + table.lost),
        disagreement: mean(&|p| (p.variant - p.reference).powi(2)),
    })
}

impl Comparison {
    /// Items with which a verdict is reached with a power of 80 %, if the true difference is this
    /// one (and none, where the variant looks better): to pass within `margin`, or to be called
    /// worse, whichever takes fewer. Where the two never disagree, those whose equal answers pass.
    pub(crate) fn n_to_decide(&self, margin: f64) -> u64 {
        let true_difference = self.difference.min(0.0);
        let variance = self.disagreement - self.difference * self.difference;
        let within = |distance: f64| match distance > 0.0 {
            true => (Z_95 + Z_80).powi(2) * variance / (distance * distance),
            false => f64::INFINITY,
        };
        let by_equal_answers = Z_95.powi(2) * (1.0 - margin) / margin.max(f64::MIN_POSITIVE);
        let to_pass = within(true_difference + margin).max(by_equal_answers);
        let to_fail = within(-true_difference);
        // beyond u64 the cast saturates
        to_pass.min(to_fail).ceil() as u64
    }
}

/// Whether a family keeps its margin: passes when the whole interval does; fails when it is worse
/// than the reference by a test whose level is kept over all families (`p_worse` corrected), and
/// not shown to stay within the margin.
pub(crate) fn judge(inference: &Inference, p_worse: f64, margin: f64, alpha: f64) -> Verdict {
    if inference.lo >= -margin {
        Verdict::Pass
    } else if p_worse <= alpha {
        Verdict::Fail
    } else {
        Verdict::Inconclusive
    }
}
