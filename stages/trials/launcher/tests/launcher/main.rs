//! The launcher against real processes.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop, and its own processes tell each other when they are ready"
)]

mod fake;
mod leftovers;
mod servers;
