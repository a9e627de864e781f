//! Every way in which a real llama-server fails, brought about on purpose: `tests/install/llama`
//! says where the server and its model are.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox};

/// Longest wait for something that comes for certain.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Llama {
    server: PathBuf,
    model: PathBuf,
}

pub(crate) fn llama() -> Option<Llama> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let found = path("SBT_LLAMA_SERVER").zip(path("SBT_LLAMA_MODEL"));
    let Some((server, model)) = found else {
        println!("skipped: SBT_LLAMA_SERVER is not set");
        return None;
    };
    Some(Llama { server, model })
}

/// One trial.
struct Case {
    program: PathBuf,
    model: PathBuf,
    /// Further lines of the backend.
    backend: String,
    ctx_size: u32,
    users: u32,
    requests: u32,
    prompt_tokens: u32,
    output_tokens: u32,
}

impl Case {
    /// Four users, eight requests, over in seconds.
    fn new(llama: &Llama) -> Self {
        Self {
            program: llama.server.clone(),
            model: llama.model.clone(),
            backend: String::new(),
            ctx_size: 4096,
            users: 4,
            requests: 8,
            prompt_tokens: 40,
            output_tokens: 8,
        }
    }

    /// So much to generate that something can happen meanwhile.
    fn long(llama: &Llama) -> Self {
        Self {
            requests: 400,
            output_tokens: 400,
            ..Self::new(llama)
        }
    }

    fn write(&self, sandbox: &Sandbox) {
        let config = format!("parallel = 4, threads = 2, ctx_size = {}", self.ctx_size);
        let backend = format!(
            r#"kind = "server"
server = "llamacpp"
program = "{}"
model = "{}"
{}
"#,
            self.program.display(),
            self.model.display(),
            self.backend
        );
        self.write_with(sandbox, &config, &backend);
    }

    fn write_with(&self, sandbox: &Sandbox, config: &str, backend: &str) {
        let text = format!(
            r#"name = "catalogue"
[stages.workload]
uses = "workload"
[stages.workload.with]
profile = "chat"
requests = {}
draws = 1
users = {}
prompt_tokens = {}
output_tokens = {}
seed = 1
[stages.workload.with.profiles.chat]
category = "chat"
arrival = {{ kind = "poisson", rps = 10.0 }}
prompt_tokens = {{ kind = "fixed", value = 40.0 }}
output_tokens = {{ kind = "fixed", value = 8.0 }}
[stages.measure]
uses = "trials"
inputs = {{ workload = "workload" }}
[stages.measure.with]
configs = [{{ name = "case", {config} }}]
protocol = {{ warmup_requests = 0, client = {{ idle_timeout_s = 3.0, ttft_timeout_s = 30.0 }} }}
[stages.measure.with.backend]
{backend}
"#,
            self.requests, self.users, self.prompt_tokens, self.output_tokens
        );
        sandbox.write("catalogue.toml", &text);
    }

    fn run(&self, sandbox: &Sandbox) -> Outcome {
        self.write(sandbox);
        sandbox.run(&["run", "catalogue.toml"])
    }

    /// Runs, and expects one trial with an outcome and a reason that contains some words.
    fn ends(&self, sandbox: &Sandbox, outcome: &str, reason: &str) {
        let run = self.run(sandbox);
        assert_eq!(run.code, Some(0), "{run}");
        assert_ended(sandbox, outcome, reason);
    }

    /// Runs, and does something to the server in the middle of its answers.
    fn ends_after(&self, sandbox: &Sandbox, event: fn(Pid), outcome: &str, reason: &str) {
        self.after(sandbox, event);
        assert_ended(sandbox, outcome, reason);
    }

    /// The trial during which something happened to the server, which is gone after it.
    fn after(&self, sandbox: &Sandbox, event: fn(Pid)) -> Value {
        self.write(sandbox);
        let run = sandbox.start(&["run", "catalogue.toml"]);
        let server = busy_server(&run);
        event(server);
        let run = Outcome::of(run.wait_with_output().unwrap());
        assert_eq!(run.code, Some(0), "{run}");
        assert!(is_gone(server), "the server is still there");
        let requests = table(sandbox, "requests");
        assert_eq!(requests.len(), self.requests as usize);
        assert!(requests.iter().any(|request| request["status"] != "ok"));
        table(sandbox, "trials").remove(0)
    }
}

fn table(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    sandbox.table(&format!("catalogue:measure.{name}"))
}

fn assert_ended(sandbox: &Sandbox, outcome: &str, reason: &str) {
    let trials = table(sandbox, "trials");
    assert_eq!(trials.len(), 1);
    assert_eq!(trials[0]["outcome"], outcome, "{:#}", trials[0]);
    let said = trials[0]["reason"].as_str().unwrap_or_default();
    assert!(said.contains(reason), "{said}");
}

/// The llama-server below a running sbt, as soon as it answers several requests at once: before,
/// it is looked at with one at a time.
fn busy_server(run: &Child) -> Pid {
    wait_for("a server that is busy", || {
        let (pid, port) = server_below(run.id())?;
        let metrics = get(port, "/metrics")?;
        let busy = metrics.lines().any(|line| {
            let running = line.strip_prefix("llamacpp:requests_processing ");
            running.is_some_and(|running| running.parse::<u32>().is_ok_and(|n| n > 1))
        });
        busy.then_some(pid)
    })
}

/// Process and port of the server that a process started.
fn server_below(parent: u32) -> Option<(Pid, u16)> {
    let mut processes = fs::read_dir("/proc").unwrap().flatten();
    processes.find_map(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(") ")?;
        let of_parent = after_name.split(' ').nth(1)?.parse() == Ok(parent);
        let words = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        let mut words = words.split('\0').skip_while(|word| *word != "--port");
        let port = words.nth(1)?.parse().ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        of_parent.then_some((Pid::from_raw(pid)?, port))
    })
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A zombie is gone too: where no init reaps orphans it stays, and holds nothing.
fn is_gone(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| {
        stat.rsplit_once(") ")
            .is_none_or(|(_, rest)| rest.starts_with('Z'))
    })
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A program that does something before it becomes llama-server.
fn wrapped(sandbox: &Sandbox, llama: &Llama, before: &str) -> PathBuf {
    let server = llama.server.display();
    let path = sandbox.write(
        "llama",
        &format!("#!/bin/sh\n{before}\nexec {server} \"$@\"\n"),
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn real_server_that_is_well_is_measured() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let run = Case::new(&llama).run(&sandbox);
    assert_eq!(run.code, Some(0), "{run}");
    let trial = &table(&sandbox, "trials")[0];
    assert_eq!((&trial["n"], &trial["n_ok"]), (&8.into(), &8.into()));
    for request in table(&sandbox, "requests") {
        assert_eq!(request["output_tokens"], 8, "{request}");
    }
}

#[test]
fn real_server_with_a_wrong_flag_fails_to_launch() {
    let Some(llama) = llama() else { return };
    let case = Case {
        backend: r#"args = ["--no-such-flag"]"#.to_owned(),
        ..Case::new(&llama)
    };
    let reason = "this version does not know a flag";
    case.ends(&Sandbox::new(), "launch_failed", reason);
}

#[test]
fn real_server_with_a_cut_off_model_fails_to_launch() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let whole = fs::read(&llama.model).unwrap();
    let model = sandbox.path("cut.gguf");
    fs::write(&model, &whole[..whole.len() / 2]).unwrap();
    let case = Case {
        model,
        ..Case::new(&llama)
    };
    case.ends(&sandbox, "launch_failed", "the model file is cut off");
}

#[test]
fn real_server_without_memory_at_the_start_is_out_of_memory() {
    let Some(llama) = llama() else { return };
    let case = Case {
        ctx_size: 10_000_000,
        ..Case::new(&llama)
    };
    case.ends(&Sandbox::new(), "oom", "the machine ran out of memory");
}

#[test]
fn real_server_without_memory_under_load_fails_the_trial() {
    let Some(llama) = llama() else { return };
    let starve = |server: Pid| {
        let status = fs::read_to_string(format!("/proc/{server}/status")).unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
        let kib = size.unwrap().trim().trim_end_matches(" kB");
        let limit = kib.parse::<u64>().unwrap() * 1024 + 4_000_000;
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        prlimit(Some(server), Resource::As, limit).unwrap();
    };
    let case = Case {
        ctx_size: 16_384,
        users: 8,
        prompt_tokens: 1500,
        ..Case::long(&llama)
    };
    let sandbox = Sandbox::new();
    let trial = case.after(&sandbox, starve);
    let said = trial["reason"].as_str().unwrap();
    // It may abort before it has written why: then nobody can tell that from another abort.
    match trial["outcome"].as_str() {
        Some("oom") => assert!(said.contains("ran out of memory"), "{said}"),
        Some("crashed") => assert!(said.contains("signal 6"), "{said}"),
        _ => panic!("{trial:#}"),
    }
}

#[test]
fn real_server_that_is_killed_has_crashed() {
    let Some(llama) = llama() else { return };
    let kill = |server: Pid| kill_process(server, Signal::KILL).unwrap();
    Case::long(&llama).ends_after(&Sandbox::new(), kill, "crashed", "signal 9");
}

#[test]
fn real_server_that_stands_still_hangs_and_is_ended() {
    let Some(llama) = llama() else { return };
    let stop = |server: Pid| kill_process(server, Signal::STOP).unwrap();
    let case = Case {
        requests: 8,
        ..Case::long(&llama)
    };
    case.ends_after(&Sandbox::new(), stop, "hung", "stopped by a signal");
}

#[test]
fn real_server_that_starts_slowly_is_waited_for_until_its_time_is_up() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let mut case = Case::new(&llama);
    case.program = wrapped(&sandbox, &llama, "sleep 5");
    case.backend = "start_timeout_s = 2.0".to_owned();
    case.ends(&sandbox, "hung", "not ready within 2 s");
    case.backend = "start_timeout_s = 100.0".to_owned();
    let run = case.run(&sandbox);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(table(&sandbox, "trials")[0]["n_ok"], 8);
}

#[test]
fn real_server_without_its_model_stops_the_run_and_is_not_remembered() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let model = sandbox.path("later.gguf");
    let case = Case {
        model: model.clone(),
        ..Case::new(&llama)
    };
    let run = case.run(&sandbox);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.stderr.contains("the model file cannot be opened"),
        "{run}"
    );
    fs::copy(&llama.model, model).unwrap();
    let run = case.run(&sandbox);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn real_server_on_a_busy_port_stops_the_run_and_is_not_remembered() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let case = Case {
        backend: format!("port = {port}"),
        ..Case::new(&llama)
    };
    let run = case.run(&sandbox);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("in use"), "{run}");
    drop(busy);
    let run = case.run(&sandbox);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn prompt_beyond_the_context_of_a_real_server_has_its_own_class() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let case = Case {
        ctx_size: 1024,
        prompt_tokens: 600,
        ..Case::new(&llama)
    };
    case.ends(&sandbox, "too_many_errors", "context_overflow");
    for request in table(&sandbox, "requests") {
        assert_eq!(request["status"], "context_overflow", "{request}");
    }
}

#[test]
fn wrong_key_is_refused_by_a_real_server_and_shown_nowhere() {
    const RIGHT: &str = "sk-right-0123456789";
    const WRONG: &str = "sk-wrong-0123456789";
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    let port = free_port();
    let mut server = Command::new(&llama.server)
        .args(["-m", llama.model.to_str().unwrap(), "-c", "4096"])
        .args(["--parallel", "4", "--port", &port.to_string()])
        .args(["--api-key", RIGHT])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("a server that is ready", || {
        get(port, "/health")?.contains("200 OK").then_some(())
    });
    let backend = format!(
        r#"kind = "endpoint"
url = "http://127.0.0.1:{port}/v1"
model = "small"
api_key_env = "KEY_OF_TEST""#
    );
    Case::new(&llama).write_with(&sandbox, "", &backend);
    let run = |key: &str| {
        let mut command = sandbox.command(&["run", "catalogue.toml"]);
        Outcome::of(command.env("KEY_OF_TEST", key).output().unwrap())
    };
    let (wrong, right) = (run(WRONG), run(RIGHT));
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    assert!(wrong.stderr.contains("401"), "{wrong}");
    assert!(!wrong.stderr.contains(WRONG), "{wrong}");
    assert_eq!(right.code, Some(0), "{right}");
    for file in crate::sandbox::files_below(&sandbox.path("")) {
        let content = fs::read(&file).unwrap();
        for key in [RIGHT, WRONG] {
            let mut parts = content.windows(key.len());
            assert!(
                !parts.any(|part| part == key.as_bytes()),
                "{}",
                file.display()
            );
        }
    }
}

#[test]
fn interrupted_run_leaves_no_server() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    Case::long(&llama).write(&sandbox);
    let run = sandbox.start(&["run", "catalogue.toml"]);
    let server = busy_server(&run);
    let pid = i32::try_from(run.id()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    let run = Outcome::of(run.wait_with_output().unwrap());
    assert_ne!(run.code, Some(0), "{run}");
    assert!(is_gone(server), "{run}");
}

#[test]
fn server_of_a_killed_run_is_stopped_by_the_next() {
    let Some(llama) = llama() else { return };
    let sandbox = Sandbox::new();
    Case::long(&llama).write(&sandbox);
    let mut run = sandbox.start(&["run", "catalogue.toml"]);
    let server = busy_server(&run);
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(!is_gone(server));
    let next = Case::new(&llama).run(&sandbox);
    assert_eq!(next.code, Some(0), "{next}");
    assert!(
        next.stderr.contains("which a killed run left behind"),
        "{next}"
    );
    assert!(is_gone(server));
}
