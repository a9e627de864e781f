use std::io;

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The schedule contradicts itself.
    #[error("request {index} of the schedule: {problem}")]
    Ask {
        /// Index of the ask.
        index: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// A vocabulary without words cannot make prompts.
    #[error("the vocabulary has no words")]
    NoWords,
    /// Prompts cannot be sent as tokens.
    #[error("prompts as tokens need {0}")]
    Ids(&'static str),
    /// The key, model or path cannot stand in a request.
    #[error("the request cannot be built: {0}")]
    Request(String),
    /// Too few file descriptors for the connections of the run.
    #[error(
        "{needed} file descriptors are needed and the hard limit is {limit}: raise it (`ulimit -Hn`) or lower max_in_flight"
    )]
    TooFewFiles {
        /// Descriptors that the run needs.
        needed: u64,
        /// The hard limit of the process.
        limit: u64,
    },
    /// The certificates that TLS is to trust cannot be used.
    #[error("the certificates to trust cannot be used: {0}")]
    Roots(String),
    /// The system refused a thread, a timer or the like.
    #[error("the load generator could not start: {0}")]
    System(#[from] io::Error),
}
