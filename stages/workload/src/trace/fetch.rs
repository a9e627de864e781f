use std::path::PathBuf;

use sbt_client::{DownloadError, download};
use sbt_engine::StageContext;

use super::TraceError;

/// Fetches a trace into the stage's scratch folder, and checks that it is the right one.
pub(crate) fn fetch(url: &str, sha256: &str, ctx: &StageContext) -> Result<PathBuf, TraceError> {
    let path = ctx.scratch.join("trace");
    let go_on = |done, total| {
        ctx.progress(done, total, "bytes of the trace");
        !ctx.cancel.is_cancelled()
    };
    match download(url, sha256, &path, go_on) {
        Ok(()) => Ok(path),
        Err(DownloadError::Stopped) => Err(TraceError::Cancelled),
        Err(error @ (DownloadError::Failed { .. } | DownloadError::WrongDigest { .. })) => {
            Err(TraceError::Fetch(error))
        }
    }
}
