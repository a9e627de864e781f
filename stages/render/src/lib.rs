//! Reports, cards, plots and deploy files from the tables.
//!
//! Everything is drawn from one view of the tables, so that a figure is computed once and shown
//! the same everywhere.

mod artefacts;
mod format;
mod inputs;
mod params;
mod plot;
mod recorded;
mod rollout;
#[cfg(test)]
mod samples;
mod stage;
mod templates;
mod view;

pub use stage::RenderKind;
