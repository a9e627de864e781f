//! How well an answer of a model does.
//!
//! Pure functions: text in, a number between 0 and 1 out. A program that a model wrote is put
//! together here ([`Scorer::program`]) and run by the caller.

mod choice;
mod code;
mod ifeval;
mod json;
mod number;
mod rouge;
mod scorer;
mod text;

pub use code::PASSED;
pub use ifeval::{Instruction, Relation, Strictness};
pub use rouge::{Rouge, rouge};
pub use scorer::{NotScored, Score, Scorer};
pub use text::{Compare, exact_match, token_f1};
