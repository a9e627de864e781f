//! Does a configuration make the answers worse?
//!
//! For simulated trials nobody answers, so the expected scores come from published evaluations
//! (`data/effects.toml`), and every row says `inferred` and names its sources. A variant is the
//! part of a configuration that can change answers; effects of several knobs are taken to be
//! independent, and multiply. What nobody published is unknown, never assumed.

mod effects;
mod estimate;
mod gates;
mod kind;
mod space;

pub use kind::QualityKind;
