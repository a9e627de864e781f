//! From a plan to results: what is known is taken, what is not is run, as parallel as the DAG
//! allows.

mod error;
mod execute;
mod explain;
mod forecast;
mod inputs;
mod journal;
mod lookup;
mod report;
mod scheduler;
#[cfg(test)]
mod tests;

pub use error::RunError;
pub use explain::{Explanation, explain};
pub use forecast::{Fate, Forecast, forecast};
pub use report::{RunReport, StageFate, StageReport};
pub use scheduler::{RunOptions, run};

pub(crate) use inputs::{concat, with_axes};
