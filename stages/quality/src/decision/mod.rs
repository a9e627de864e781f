//! Is a variant no worse than the reference? Paired by item, one family at a time.

mod binary;
mod continuous;
mod holm;
mod verdict;

pub(crate) use holm::holm;
pub(crate) use verdict::{Comparison, Pair, compare, judge};

/// 95 % one-sided quantile of the standard normal distribution, and the 80 % one: their sum
/// squared scales the sample size of a test at 5 % with a power of 80 %.
const Z_95: f64 = 1.644_853_626_951_472_2;
const Z_80: f64 = 0.841_621_233_572_914_2;

/// Bounds of a mean paired difference, and how likely such a loss is without any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Inference {
    /// One-sided lower bound.
    pub(crate) lo: f64,
    /// One-sided upper bound.
    pub(crate) hi: f64,
    /// p-value of "as good" against "worse".
    pub(crate) p_worse: f64,
}

#[cfg(test)]
mod tests;
