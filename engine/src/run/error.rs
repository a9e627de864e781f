use crate::{MemoError, StoreError, TableIoError};

/// Why a run could not go on at all. A stage that fails is no such reason: the report tells it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The memo cannot be used.
    #[error(transparent)]
    Memo(#[from] MemoError),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableIoError),
    /// A file that a parameter names cannot be read.
    #[error("cannot read {path}: {source}")]
    File {
        /// File.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The user can mend it.
    #[error("{0}")]
    User(String),
}
