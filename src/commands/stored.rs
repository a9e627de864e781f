use std::path::Path;

use sbt_engine::{Event, EventSink, RunLog, Store};

use crate::failure::Failure;

pub(crate) fn open_store(path: &Path) -> Result<Store, Failure> {
    Ok(Store::open(path)?)
}

/// The run log of a store. That it was damaged is told by the next run.
pub(crate) fn open_log(store: &Store) -> RunLog {
    struct Nobody;
    impl EventSink for Nobody {
        fn event(&self, _: &Event) {}
    }
    RunLog::open(store, &Nobody)
}
