//! The server as a client sees it, byte by byte.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

mod endpoints;
mod faults;
mod raw;
mod simulated;
mod truth;
