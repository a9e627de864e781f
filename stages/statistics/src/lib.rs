//! Intervals and tests over independent draws of a workload: what a figure may claim.
//!
//! Everything here takes numbers and gives numbers. What has no finite bound with the values that
//! there are has none: a bound is an `Option`.

mod holm;
mod mean;
mod median;
mod paired;
mod resample;
mod share;
mod student;

pub use holm::holm;
pub use mean::{Mean, lower_bound, mean};
pub use median::{Median, median};
pub use paired::{Paired, paired};
pub use resample::Resamples;
pub use share::{upper_share, wilson};
pub use student::student_quantile;

/// Two-sided level of every interval.
pub const LEVEL: f64 = 0.95;
