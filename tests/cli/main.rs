//! End-to-end tests: the binary as a user runs it.

mod browser;
mod check;
mod commands;
mod decision;
mod engine;
mod house;
mod safety;
mod sandbox;
mod schemas;
