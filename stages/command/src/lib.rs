//! Any program as a stage.
//!
//! Inputs are given as paths in `SBT_INPUT_NAME`, outputs are expected at `SBT_OUTPUT_NAME`.

mod params;
mod process;
mod stage;

pub use stage::CommandKind;
