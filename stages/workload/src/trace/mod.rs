//! Traces in public formats.

mod azure;
mod burstgpt;
mod columns;
mod cut;
mod error;
mod fetch;
mod format;
mod lengths;
mod mooncake;
mod record;
mod recorded;
mod servegen;

pub(crate) use cut::{Cut, cut};
pub(crate) use error::TraceError;
pub(crate) use fetch::fetch;
pub(crate) use format::{Content, Source, read};
pub(crate) use recorded::{Recorded, Request};
pub(crate) use servegen::ServeGen;
