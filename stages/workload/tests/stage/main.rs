//! The stage as a pipeline sees it: from `with` to rows.

mod fetch;
mod harness;
mod params;
mod profiles;
mod public_traces;
mod traces;
