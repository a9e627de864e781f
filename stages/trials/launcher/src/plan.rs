use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;

use crate::FailurePattern;

/// Everything that one start of a server needs.
#[derive(Debug, Clone)]
pub struct LaunchPlan {
    /// Program and arguments. The program must stay in the foreground: its end is the server's.
    pub argv: Vec<String>,
    /// The whole environment; nothing of the caller's own is added. (A shell starts the program,
    /// and some shells add `PWD`, `SHLVL` and `_`.)
    pub env: BTreeMap<String, String>,
    /// Folder to run in; none for the caller's.
    pub cwd: Option<PathBuf>,
    /// Address that the server listens on.
    pub host: String,
    /// Port that the server listens on.
    pub port: u16,
    /// Path that answers GET with a status of 200 to 299 as soon as requests are served.
    pub ready_path: String,
    /// Time until the server must be ready, s.
    pub start_timeout_s: f64,
    /// Time that one answer on `ready_path` may take, s.
    pub probe_timeout_s: f64,
    /// Time to end by itself after SIGTERM, s.
    pub stop_grace_s: f64,
    /// File that receives what the server prints.
    pub log: PathBuf,
    /// Most bytes that the log keeps: its begin and its end.
    pub log_limit_bytes: u64,
    /// What lines of the log mean when the server fails; the first that occurs counts.
    pub failures: Vec<FailurePattern>,
    /// GPUs that the server uses, by NVML's index; empty for all.
    pub gpus: Vec<u32>,
    /// How far above its level before the start a GPU's memory may stay after the stop,
    /// 10^6 bytes.
    pub memory_tolerance_mb: f64,
    /// Time that the GPU's memory has to come back to its level after the stop, s.
    pub memory_timeout_s: f64,
}

impl LaunchPlan {
    /// The program without its folder, for messages.
    pub(crate) fn program(&self) -> &str {
        let path = self.argv.first().map_or("", String::as_str);
        path.rsplit_once('/').map_or(path, |(_, name)| name)
    }
}

/// A port that nothing listens on at this moment.
///
/// # Errors
/// When `host` is no address of this machine, or all ports are taken.
pub fn free_port(host: &str) -> io::Result<u16> {
    Ok(TcpListener::bind((host, 0))?.local_addr()?.port())
}
