//! The client against a server whose every byte is under control.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop and may say why it skips"
)]

mod connections;
mod encrypted;
mod faults;
mod mock;
mod probing;
mod recorded;
mod schedule;
mod shards;
mod support;
mod wire;
