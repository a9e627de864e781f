use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Response};
use sha2::{Digest, Sha256};

use crate::fault::chain;

/// Chosen: a server that says nothing for so long will not.
const SILENCE: Duration = Duration::from_secs(60);

/// Why there is no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownloadError {
    /// It did not come, or could not be written.
    #[error("cannot fetch {url}: {problem}")]
    Failed {
        /// What was fetched.
        url: String,
        /// Why it did not come.
        problem: String,
    },
    /// Other bytes than expected.
    #[error(
        "{url}: the bytes fetched have SHA-256 {found}, but `sha256` says {expected}: the file changed, or the digest is of another one"
    )]
    WrongDigest {
        /// What was fetched.
        url: String,
        /// Digest that was given.
        expected: String,
        /// Digest that the bytes have.
        found: String,
    },
    /// The caller had enough.
    #[error("stopped before the end")]
    Stopped,
}

/// Fetches a file, and checks that it has a SHA-256. `go_on` hears of bytes done and in all (as
/// many as are known of), and says whether to. Blocks.
///
/// # Errors
/// When it does not come, or is another one.
pub fn download(
    url: &str,
    sha256: &str,
    to: &Path,
    mut go_on: impl FnMut(u64, u64) -> bool,
) -> Result<(), DownloadError> {
    // an error means that another part of the process chose a provider before
    let _ = rustls::crypto::ring::default_provider().install_default();
    let failed = |error: &(dyn std::error::Error + 'static)| DownloadError::Failed {
        url: url.to_owned(),
        problem: chain(error),
    };
    let runtime = crate::run::runtime().map_err(|error| failed(&error))?;
    let mut file = File::create(to).map_err(|error| failed(&error))?;
    let mut hasher = Sha256::new();
    runtime.block_on(async {
        let mut response = open(url).await.map_err(|error| failed(&error))?;
        let total = response.content_length().unwrap_or(0);
        let mut done = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            hasher.update(&chunk);
            file.write_all(&chunk).map_err(|error| failed(&error))?;
            done += chunk.len() as u64;
            if !go_on(done, total.max(done)) {
                return Err(DownloadError::Stopped);
            }
        }
        Ok(())
    })?;
    let found = hex(&hasher.finalize());
    if !found.eq_ignore_ascii_case(sha256) {
        return Err(DownloadError::WrongDigest {
            url: url.to_owned(),
            expected: sha256.to_ascii_lowercase(),
            found,
        });
    }
    Ok(())
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
