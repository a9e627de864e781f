use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, Response};
use sbt_engine::StageContext;
use sha2::{Digest, Sha256};

use super::TraceError;

/// Chosen: a server that says nothing for so long will not.
const SILENCE: Duration = Duration::from_secs(60);

/// Fetches a trace into the stage's scratch folder, and checks that it is the right one.
pub(crate) fn fetch(url: &str, sha256: &str, ctx: &StageContext) -> Result<PathBuf, TraceError> {
    // an error means that another part of the process chose a provider before
    let _ = rustls::crypto::ring::default_provider().install_default();
    let failed = |error: &dyn std::error::Error| TraceError::Fetch {
        url: url.to_owned(),
        problem: with_causes(error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let path = ctx.scratch.join("trace");
    let mut file = File::create(&path).map_err(|error| failed(&error))?;
    let mut hasher = Sha256::new();
    runtime.block_on(async {
        let mut response = open(url).await.map_err(|error| failed(&error))?;
        let total = response.content_length().unwrap_or(0);
        let mut done = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if ctx.cancel.is_cancelled() {
                return Err(TraceError::Cancelled);
            }
            hasher.update(&chunk);
            file.write_all(&chunk).map_err(|error| failed(&error))?;
            done += chunk.len() as u64;
            ctx.progress(done, total.max(done), "bytes of the trace");
        }
        Ok(())
    })?;
    let found = hex(&hasher.finalize());
    if !found.eq_ignore_ascii_case(sha256) {
        return Err(TraceError::WrongDigest {
            url: url.to_owned(),
            expected: sha256.to_ascii_lowercase(),
            found,
        });
    }
    Ok(path)
}

async fn open(url: &str) -> Result<Response, reqwest::Error> {
    let client = Client::builder()
        .connect_timeout(SILENCE)
        .read_timeout(SILENCE)
        .build()?;
    client.get(url).send().await?.error_for_status()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

/// The error and what caused it: the outermost text alone says little.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        write!(text, ": {inner}").expect("a String takes everything");
        cause = inner.source();
    }
    text
}
