//! A folder for one test, and the server that misbehaves as told.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sbt_launcher::{Failure, LaunchPlan, Running, StartError, free_port};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Sandbox(TempDir);

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn plan(&self, words: &[&str]) -> LaunchPlan {
        plan(self.path(), words)
    }

    pub(crate) fn start(&self, words: &[&str]) -> Result<Running, StartError> {
        self.run(self.plan(words))
    }

    pub(crate) fn run(&self, plan: LaunchPlan) -> Result<Running, StartError> {
        Running::start(plan, self.path(), &|| false, &|_| {})
    }

    /// The failure of a start that must fail.
    pub(crate) fn refused(&self, plan: LaunchPlan) -> Failure {
        match self.run(plan) {
            Err(StartError::Failed(failure)) => failure,
            Err(StartError::Cancelled) => panic!("nobody cancelled"),
            Ok(_) => panic!("it started"),
        }
    }

    pub(crate) fn records(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path().join("servers"))
            .into_iter()
            .flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Control groups of the servers in the records, where they could be made.
    pub(crate) fn cgroups(&self) -> Vec<PathBuf> {
        let records = self
            .records()
            .into_iter()
            .map(|path| fs::read(path).unwrap());
        let records = records.filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        records
            .filter_map(|record| record["cgroup"].as_str().map(PathBuf::from))
            .filter(|cgroup| cgroup.exists())
            .collect()
    }

    /// Tells the server to start a child that ignores SIGTERM.
    pub(crate) fn child_word(&self) -> String {
        format!("child={}", self.path().join("child").display())
    }

    pub(crate) fn child(&self) -> u32 {
        let pid = fs::read_to_string(self.path().join("child")).unwrap();
        pid.trim().parse().unwrap()
    }
}

pub(crate) fn plan(folder: &Path, words: &[&str]) -> LaunchPlan {
    let port = free_port("127.0.0.1").unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/launcher/fake_server.py");
    let own = ["python3".to_owned(), script.to_owned(), port.to_string()];
    LaunchPlan {
        argv: own
            .into_iter()
            .chain(words.iter().map(|&word| word.to_owned()))
            .collect(),
        env: [("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())].into(),
        cwd: None,
        host: "127.0.0.1".to_owned(),
        port,
        ready_path: "/health".to_owned(),
        start_timeout_s: 60.0,
        probe_timeout_s: 5.0,
        stop_grace_s: 5.0,
        log: folder.join("server.log"),
        log_limit_bytes: 1 << 20,
        failures: Vec::new(),
        gpus: Vec::new(),
        memory_tolerance_mb: 64.0,
        memory_timeout_s: 5.0,
    }
}

/// Sends a request and waits for the end of the answer, if there is one.
pub(crate) fn get(running: &Running, path: &str) {
    let address = running.base_url().replace("http://", "");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Whether a process runs; a zombie does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| &rest[..1]);
    state.is_some_and(|state| state != "Z" && state != "X")
}

/// Waits for something that must come, with a generous limit.
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "it never came");
        thread::sleep(Duration::from_millis(10));
    }
}
