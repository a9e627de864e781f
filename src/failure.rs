use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use sbt_engine::{RunError, StoreError, TableIoError};

use crate::environment::Environment;
use crate::terminal::style;

/// Exit codes, as promised by `sbt --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A stage failed.
    StageFailed = 1,
    /// Bad usage or a bad pipeline.
    Usage = 2,
    /// A gate said no.
    GateFailed = 3,
    /// `--locked` differs.
    LockDiffers = 4,
    /// Data made by a newer sbt.
    NewerData = 65,
    /// Cannot write.
    CannotWrite = 73,
    /// The store is locked.
    StoreLocked = 75,
    /// Interrupted by SIGINT, resumable.
    Interrupted = 130,
    /// Interrupted by SIGTERM, resumable.
    Terminated = 143,
}

impl Exit {
    /// Of a command that a signal stopped.
    pub(crate) fn of_signal(signal: i32) -> Self {
        /// SIGTERM on every Unix.
        const TERMINATE: i32 = 15;
        if signal == TERMINATE {
            Self::Terminated
        } else {
            Self::Interrupted
        }
    }
}

/// Why the command did not do what was asked, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    rendered: bool,
    hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            rendered: false,
            hints: Vec::new(),
        }
    }

    /// A bad pipeline whose diagnostics are rendered already.
    pub(crate) fn shown(diagnostics: String) -> Self {
        Self {
            exit: Exit::Usage,
            message: diagnostics,
            rendered: true,
            hints: Vec::new(),
        }
    }

    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// Prints the failure, its last line being what to do next.
    pub(crate) fn report(self, environment: &Environment) -> ExitCode {
        let paint = style::Paint::new(environment.colour_err);
        let mut text = String::new();
        if self.rendered {
            text = format!("{}\n", self.message.trim_end());
        } else if !self.message.is_empty() {
            text = format!("{} {}\n", paint.red("error:"), self.message.trim_end());
        }
        for hint in &self.hints {
            text.push_str(&format!("{} {hint}\n", paint.cyan("hint:")));
        }
        // A closed stderr leaves only the exit code to tell.
        let _ = io::stderr().write_all(text.as_bytes());
        ExitCode::from(self.exit as u8)
    }
}

impl From<io::Error> for Failure {
    /// Writing to standard output failed: the reader has gone, or the disk is full.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::StageFailed, "");
        }
        Self::new(Exit::CannotWrite, format!("cannot write: {error}"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::Newer { .. } => Exit::NewerData,
            StoreError::Locked { .. } => Exit::StoreLocked,
            StoreError::Write { .. } => Exit::CannotWrite,
            StoreError::Read { .. } => Exit::StageFailed,
        };
        Self::new(exit, error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Store(error) => error.into(),
            RunError::Table(TableIoError::Newer { .. }) => Self::new(Exit::NewerData, error),
            RunError::User(message) => Self::usage(message),
            RunError::Memo(_) | RunError::Table(_) | RunError::File { .. } => {
                Self::new(Exit::StageFailed, error)
            }
        }
    }
}
