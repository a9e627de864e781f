//! Requests to serve: profiles, arrivals, lengths, sessions and public traces.
//!
//! A profile ([`Profile`]) is a set of distributions from which independent draws are made; a
//! trace is a recording of which draws are consecutive stretches. Either way a draw is a list of
//! sessions that are timed by an arrival process ([`Arrival`]) and written as rows of the table
//! `workload`. Everything random comes from generators seeded by workload seed, draw and purpose.

mod arrival;
mod distribution;
mod params;
mod prefix;
mod problems;
mod profile;
mod session;
mod shorthand;
mod stage;
mod streams;
mod timing;
mod trace;
mod weighted;

pub use arrival::Arrival;
pub use distribution::{Distribution, Part};
pub use params::{Columns, Sample, TraceFormat, Window, WorkloadParams};
pub use prefix::{Popularity, SharedPrefix};
pub use profile::Profile;
pub use session::{Context, Sessions};
pub use stage::WorkloadKind;
