//! Servers as processes, and what can happen to them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

/// Longest wait for something that comes for certain.
const PATIENCE: Duration = Duration::from_secs(120);

/// What `/proc` says of a process.
struct Process {
    pid: Pid,
    /// `Z` for a zombie.
    state: String,
    parent: String,
    group: String,
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let read = |entry: fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(") ")?;
        let mut fields = after_name.split(' ').map(str::to_owned);
        Some(Process {
            pid: Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?,
            state: fields.next()?,
            parent: fields.next()?,
            group: fields.next()?,
        })
    };
    entries.filter_map(read).collect()
}

/// The server below a running sbt, as soon as it answers several requests at once: before, it is
/// looked at with one at a time. `running` is what its `/metrics` call them.
pub(super) fn busy_server(run: &Child, running: &str) -> Pid {
    wait_for("a server that is busy", || {
        let (pid, port) = server_below(run.id())?;
        let metrics = get(port, "/metrics")?;
        let busy = metrics.lines().any(|line| {
            let value = line.strip_prefix(running).and(line.rsplit(' ').next());
            value.is_some_and(|value| value.parse::<f64>().is_ok_and(|n| n > 1.0))
        });
        busy.then_some(pid)
    })
}

/// Process and port of the server that a process started.
fn server_below(parent: u32) -> Option<(Pid, u16)> {
    let parent = parent.to_string();
    let mut children = processes().into_iter().filter(|p| p.parent == parent);
    children.find_map(|child| {
        let words = fs::read_to_string(format!("/proc/{}/cmdline", child.pid)).ok()?;
        let mut words = words.split('\0').skip_while(|word| *word != "--port");
        Some((child.pid, words.nth(1)?.parse().ok()?))
    })
}

/// The process below another whose command line lacks a word.
pub(super) fn child_without(word: &str, parent: Pid) -> Pid {
    let parent = parent.to_string();
    wait_for("a child", || {
        let mut children = processes().into_iter().filter(|p| p.parent == parent);
        let wanted = children.find(|child| {
            let words = fs::read_to_string(format!("/proc/{}/cmdline", child.pid));
            words.is_ok_and(|words| !words.contains(word))
        });
        Some(wanted?.pid)
    })
}

/// Whether nothing of a server's group runs any more.
pub(super) fn is_gone(server: Pid) -> bool {
    let group = server.to_string();
    let mut members = processes().into_iter().filter(|p| p.group == group);
    members.all(|member| member.state == "Z")
}

pub(super) fn kill(process: Pid) {
    kill_process(process, Signal::KILL).unwrap();
}

pub(super) fn halt(process: Pid) {
    kill_process(process, Signal::STOP).unwrap();
}

/// Lets a process have no more memory than it has, but for a little.
pub(super) fn starve(process: Pid) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.unwrap().trim().trim_end_matches(" kB");
    let limit = Some(kib.parse::<u64>().unwrap() * 1024 + 4_000_000);
    let limit = Rlimit {
        current: limit,
        maximum: limit,
    };
    prlimit(Some(process), Resource::As, limit).unwrap();
}

pub(super) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

pub(super) fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A port that is free now.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
