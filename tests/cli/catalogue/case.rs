//! One trial on a real server, and how it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Pid;
use serde_json::Value;

use super::processes::{busy_server, is_gone};
use crate::sandbox::{Outcome, Sandbox, files_below};

/// A server that `tests/run` installed.
pub(crate) struct Installed {
    /// Its name for sbt.
    pub(super) server: &'static str,
    pub(super) program: PathBuf,
    pub(super) model: PathBuf,
}

impl Installed {
    /// The server whose program a variable names, unless there is none: it says so then.
    pub(super) fn find(server: &'static str, program: &str, model: &str) -> Option<Self> {
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let found = path(program).zip(path(model));
        if found.is_none() {
            println!("skipped: {program} is not set");
        }
        let (program, model) = found?;
        Some(Self {
            server,
            program,
            model,
        })
    }

    /// A program that does something before it becomes the server.
    pub(super) fn wrapped(&self, sandbox: &Sandbox, before: &str) -> PathBuf {
        let program = self.program.display();
        let script = format!("#!/bin/sh\n{before}\nexec {program} \"$@\"\n");
        let path = sandbox.write("wrapped", &script);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

/// One trial.
pub(super) struct Case {
    pub(super) server: &'static str,
    pub(super) program: PathBuf,
    pub(super) model: PathBuf,
    /// Knobs of the configuration.
    pub(super) config: String,
    /// Further lines of the backend.
    pub(super) backend: String,
    pub(super) users: u32,
    pub(super) requests: u32,
    pub(super) prompt_tokens: u32,
    pub(super) output_tokens: u32,
}

impl Case {
    /// Four users, eight requests, over in seconds.
    pub(super) fn new(installed: &Installed, config: &str) -> Self {
        Self {
            server: installed.server,
            program: installed.program.clone(),
            model: installed.model.clone(),
            config: config.to_owned(),
            backend: String::new(),
            users: 4,
            requests: 8,
            prompt_tokens: 40,
            output_tokens: 8,
        }
    }

    pub(super) fn write(&self, sandbox: &Sandbox) {
        let backend = format!(
            r#"kind = "server"
server = "{}"
program = "{}"
model = "{}"
{}
"#,
            self.server,
            self.program.display(),
            self.model.display(),
            self.backend
        );
        self.write_with(sandbox, &self.config, &backend);
    }

    /// With another backend.
    pub(super) fn write_with(&self, sandbox: &Sandbox, config: &str, backend: &str) {
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
protocol = {{ warmup_requests = 0, slo = {{ ttft_p95_s = 4.0 }}, client = {{ idle_timeout_s = 10.0, ttft_timeout_s = 30.0 }} }}
[stages.measure.with.backend]
{backend}
"#,
            self.requests, self.users, self.prompt_tokens, self.output_tokens
        );
        sandbox.write("catalogue.toml", &text);
    }

    pub(super) fn run(&self, sandbox: &Sandbox) -> Outcome {
        self.write(sandbox);
        sandbox.run(&["run", "catalogue.toml"])
    }

    /// Runs, and expects one trial with an outcome and a reason that contains some words.
    pub(super) fn ends(&self, sandbox: &Sandbox, outcome: &str, reason: &str) {
        let run = self.run(sandbox);
        assert_eq!(run.code, Some(0), "{run}");
        let trials = table(sandbox, "trials");
        assert_eq!(trials.len(), 1);
        assert_ended(&trials[0], outcome, reason);
    }

    /// Runs, and expects that nothing can be said of the configuration, for a reason.
    pub(super) fn stops_the_run(&self, sandbox: &Sandbox, reason: &str) {
        let run = self.run(sandbox);
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.stderr.contains(reason), "{run}");
    }

    /// The trial during which something happened to the server in the middle of its answers; the
    /// server is gone after it. `running` is what its `/metrics` call requests that run.
    pub(super) fn after(&self, sandbox: &Sandbox, running: &str, event: impl Fn(Pid)) -> Value {
        self.write(sandbox);
        let run = sandbox.start(&["run", "catalogue.toml"]);
        let server = busy_server(&run, running);
        event(server);
        let run = Outcome::of(run.wait_with_output().unwrap());
        assert_eq!(run.code, Some(0), "{run}");
        assert!(is_gone(server), "the server is still there");
        let requests = table(sandbox, "requests");
        assert_eq!(requests.len(), self.requests as usize);
        assert!(requests.iter().any(|request| request["status"] != "ok"));
        table(sandbox, "trials").remove(0)
    }

    /// Expects that a server which runs already refuses one key, and takes another; and that
    /// neither is written down.
    pub(super) fn needs_key(&self, sandbox: &Sandbox, port: u16, (wrong, right): (&str, &str)) {
        let backend = format!(
            r#"kind = "endpoint"
server = "{}"
url = "http://127.0.0.1:{port}/v1"
model = "small"
api_key_env = "KEY_OF_TEST""#,
            self.server
        );
        self.write_with(sandbox, "", &backend);
        let run = |key: &str| {
            let mut command: Command = sandbox.command(&["run", "catalogue.toml"]);
            Outcome::of(command.env("KEY_OF_TEST", key).output().unwrap())
        };
        let refused = run(wrong);
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.stderr.contains("401"), "{refused}");
        assert!(!refused.stderr.contains(wrong), "{refused}");
        let taken = run(right);
        assert_eq!(taken.code, Some(0), "{taken}");
        assert_eq!(table(sandbox, "trials")[0]["n_ok"], self.requests);
        for file in files_below(&sandbox.path("")) {
            let content = fs::read(&file).unwrap();
            for key in [right, wrong] {
                let mut parts = content.windows(key.len());
                let shown = parts.any(|part| part == key.as_bytes());
                assert!(!shown, "{}", file.display());
            }
        }
    }
}

pub(super) fn table(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    sandbox.table(&format!("catalogue:measure.{name}"))
}

pub(super) fn assert_ended(trial: &Value, outcome: &str, reason: &str) {
    assert_eq!(trial["outcome"], outcome, "{trial:#}");
    let said = trial["reason"].as_str().unwrap_or_default();
    assert!(said.contains(reason), "{said}");
}
