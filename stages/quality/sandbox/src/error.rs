//! Why a program could not be run.

use std::io;
use std::path::PathBuf;

/// Why a program could not be run. A program that ran and failed is not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The interpreter did not say where its files are.
    #[error("`{python}` is not a Python 3 that runs: {reason}")]
    Python {
        /// The command that was tried.
        python: PathBuf,
        /// What it answered.
        reason: String,
    },
    /// The helper could not be started or spoken to.
    #[error("the sandbox's helper {helper}: {source}")]
    Helper {
        /// The helper's binary.
        helper: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// This machine does not allow a step that isolation takes; the program was not started.
    #[error("the sandbox could not {step}: {reason}")]
    Step {
        /// The step, as a verb and its object.
        step: String,
        /// What the system said.
        reason: String,
    },
}
