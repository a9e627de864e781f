//! Whole pipelines, read from files.

mod errors;
mod fakes;
mod graphs;
mod layering;
mod matrices;
mod origins;
mod references;
mod schemas;
mod wirings;
