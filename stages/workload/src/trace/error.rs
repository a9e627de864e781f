use sbt_client::DownloadError;
use sbt_engine::StageError;

/// Why a trace cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TraceError {
    /// The file could not be read.
    #[error("cannot read {file}")]
    Read {
        file: String,
        #[source]
        source: std::io::Error,
    },
    /// One line is not what the format says.
    #[error("{file}, line {line}: {problem}")]
    Line {
        file: String,
        line: u64,
        problem: String,
    },
    /// The file as a whole is not what was expected.
    #[error("{file}: {problem}")]
    File { file: String, problem: String },
    /// The trace could not be fetched, or is another one.
    #[error(transparent)]
    Fetch(DownloadError),
    /// Less than was asked for.
    #[error("{file}: {}", too_short(*.found, *.requests, *.draws))]
    TooShort {
        file: String,
        found: u64,
        requests: u64,
        draws: u64,
    },
    /// The run is being stopped.
    #[error("stopped before the end")]
    Cancelled,
}

fn too_short(found: u64, requests: u64, draws: u64) -> String {
    let need = requests.saturating_mul(draws);
    let mut ways = Vec::new();
    if found / draws > 0 {
        ways.push(format!("set `requests` to {} or less", found / draws));
    }
    if found / requests > 0 {
        ways.push(format!("set `draws` to {} or less", found / requests));
    }
    ways.push("widen `window`, `sample` or the token limits".to_owned());
    format!(
        "`draws` × `requests` is {draws} × {requests} = {need}, but the chosen part of the trace has {found} requests: {}",
        ways.join(", or ")
    )
}

impl From<TraceError> for StageError {
    fn from(error: TraceError) -> Self {
        match error {
            TraceError::Cancelled => Self::Cancelled,
            TraceError::Read { file, source } => Self::Io {
                what: format!("cannot read {file}"),
                source,
            },
            TraceError::Line { .. }
            | TraceError::File { .. }
            | TraceError::Fetch(_)
            | TraceError::TooShort { .. } => Self::User(error.to_string()),
        }
    }
}
