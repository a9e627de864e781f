//! What the terminal shows.

pub(crate) mod closing;
pub(crate) mod grid;
pub(crate) mod measurement;
pub(crate) mod number;
pub(crate) mod reporter;
pub(crate) mod style;
pub(crate) mod trials;
