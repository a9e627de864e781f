use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// What the server itself saw of one request: one JSON line of the truth log. Times are seconds on
/// `CLOCK_MONOTONIC`, those of writes taken right after the system call.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record {
    /// From the header `x-request-id`, else made up.
    pub(crate) request_id: String,
    pub(crate) path: String,
    /// When the whole request had been read.
    pub(crate) received_s: f64,
    /// First byte of the answer.
    pub(crate) first_write_s: Option<f64>,
    /// Each write that carried tokens: when, and how many.
    pub(crate) token_writes: Vec<(f64, u32)>,
    /// HTTP status; none when no answer was made.
    pub(crate) status: Option<u16>,
    /// Fault played.
    pub(crate) fault: Option<&'static str>,
    #[serde(skip)]
    pub(crate) log: Option<TruthLog>,
}

impl Record {
    /// The request has ended: writes its line.
    pub(crate) fn close(&self) {
        if let Some(log) = &self.log {
            log.append(self);
        }
    }
}

/// The truth log.
#[derive(Debug, Clone)]
pub(crate) struct TruthLog(Arc<Mutex<File>>);

impl TruthLog {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(File::create(path)?))))
    }

    fn append(&self, record: &Record) {
        let Ok(mut line) = serde_json::to_vec(record) else {
            return;
        };
        line.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not end the streams: a line is missing then.
        let _ = file.write_all(&line);
    }
}
