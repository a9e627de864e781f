use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use crate::{Event, EventSink, StoreError};

/// Keeps each event of a run as a line of JSON, and passes it on.
pub(crate) struct Journal {
    next: Arc<dyn EventSink>,
    started: Instant,
    file: Mutex<(File, u64)>,
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    at_s: f64,
    #[serde(flatten)]
    event: &'a Event,
}

impl Journal {
    pub(crate) fn create(folder: &Path, next: Arc<dyn EventSink>) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(StoreError::write(folder))?;
        let path: PathBuf = folder.join("events.jsonl");
        let file = File::create(&path).map_err(StoreError::write(&path))?;
        Ok(Self {
            next,
            started: Instant::now(),
            file: Mutex::new((file, 0)),
        })
    }
}

impl EventSink for Journal {
    fn event(&self, event: &Event) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let line = Line {
            seq: file.1,
            at_s: self.started.elapsed().as_secs_f64(),
            event,
        };
        let persistent = !matches!(event, Event::StageProgress { .. });
        if persistent && let Ok(text) = serde_json::to_string(&line) {
            // A full disk stops the stage that needs it; the journal is not worth the run.
            let _ = writeln!(file.0, "{text}");
            file.1 += 1;
        }
        drop(file);
        self.next.event(event);
    }
}
