//! The stage as a pipeline sees it: from `with` to rows.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop where it stands, and says why it skips"
)]

mod fetch;
mod harness;
mod params;
mod profiles;
mod public_traces;
mod traces;
