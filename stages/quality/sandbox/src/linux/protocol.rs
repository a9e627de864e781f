//! What the caller and the helper tell each other over the helper's standard input, a socket.
//! The program never holds that socket, so it cannot forge a report.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Guard, Limits, Python};

/// What to run: caller to helper.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) program: String,
    pub(super) limits: Limits,
    pub(super) python: Python,
    pub(super) guard: Guard,
    /// The user to become when the caller is root.
    pub(super) uid: Option<u32>,
    /// The program's directory without a namespace of mounts.
    pub(super) directory: Option<PathBuf>,
}

/// How it went: helper to caller.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// A step that isolation takes was refused; the program was not started.
    Refused { step: String, reason: String },
    /// The program ended, by itself (code) or by a signal.
    Ended {
        code: Option<i32>,
        signal: Option<i32>,
    },
}

/// A step that was refused.
pub(super) struct Refusal {
    pub(super) step: &'static str,
    pub(super) reason: String,
}

/// Names the step that a result belongs to.
pub(super) trait Step<T> {
    fn step(self, step: &'static str) -> Result<T, Refusal>;
}

impl<T, E: std::fmt::Display> Step<T> for Result<T, E> {
    fn step(self, step: &'static str) -> Result<T, Refusal> {
        self.map_err(|error| Refusal {
            step,
            reason: error.to_string(),
        })
    }
}

/// The helper's end of the socket. A file, since `write` passes the filter of system calls and
/// `send` does not.
pub(super) fn caller() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}
