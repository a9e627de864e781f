//! Does a configuration make the answers worse?
//!
//! A variant is the part of a configuration that can change answers. A real server is asked: each
//! variant answers the items of some suites greedily, an answer is scored, and the scores are
//! compared with the reference's, item by item: no worse than a margin, worse, or not decided. The
//! reference is compared with itself first. For simulated trials nobody answers: the expected
//! scores come from published evaluations (`data/effects.toml`), and every row says `inferred` and
//! names its sources; effects of several knobs are taken to be independent, and multiply. What
//! nobody published is unknown, never assumed.

mod asked;
mod decision;
mod effects;
mod estimate;
mod gates;
mod inferred;
mod kind;
mod params;
mod programs;
mod score;
mod space;
mod suite;

pub use kind::QualityKind;
pub use programs::{SANDBOX, sandbox_main};
