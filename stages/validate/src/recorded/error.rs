use std::io;

/// Why a recorded run cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// A file is not there, or cannot be read.
    #[error(
        "cannot read {path}: {source}; a run is a folder with `meta.json`, `config.json` and `requests.jsonl`"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file is no JSON.
    #[error("`{file}` is no JSON: {error}")]
    NoJson {
        /// The file.
        file: &'static str,
        /// What is wrong, with its line.
        error: serde_json::Error,
    },
    /// A value of `meta.json` is missing or not understood.
    #[error("`meta.json`: {0}")]
    Meta(String),
    /// The model or the GPU is not in the catalogue.
    #[error(
        "{what} of the run: {problem}; name one of the catalogue, or give its {shape}, as `{what}`"
    )]
    Unknown {
        /// `model` or `gpu`.
        what: &'static str,
        /// What the run says, and what is known.
        problem: String,
        /// What describes one.
        shape: &'static str,
    },
    /// A line of `requests.jsonl` is malformed.
    #[error("`requests.jsonl`, line {line}: {problem}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The workload has another number of requests than the run, or there is none.
    #[error(
        "the run has {run} requests and the workload {workload}: expected the workload that was sent in this run"
    )]
    Count {
        /// Requests of the run.
        run: usize,
        /// Requests of the workload.
        workload: usize,
    },
    /// A request of the workload is not the one of the run.
    #[error(
        "request {request} has {run} prompt tokens in the run and {workload} in the workload: expected the workload that was sent in this run"
    )]
    Prompt {
        /// Number of the request, from 0.
        request: usize,
        /// Tokens in the run.
        run: u64,
        /// Tokens in the workload.
        workload: u32,
    },
}
