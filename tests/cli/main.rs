//! End-to-end tests: the binary as a user runs it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop, and says why it skips"
)]

mod accessibility;
mod aggregate;
mod browser;
mod catalogue;
mod check;
mod commands;
mod decision;
mod deploy;
mod engine;
mod fidelity;
mod house;
mod launched;
mod measure;
mod real;
mod regression;
mod safety;
mod sandbox;
mod schemas;
mod serve;
mod statistics;
mod study;
