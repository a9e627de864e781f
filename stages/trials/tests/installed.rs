//! Server files against the installed servers: `tests/install/llama` and `tests/install/vllm` say
//! where those are.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop and may say why it skips"
)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use sbt_launcher::FailurePattern;
use sbt_schemas::Outcome;
use sbt_trials::{Config, Place, ServerSpec};

/// A server that `tests/run` installed.
struct Installed {
    spec: &'static ServerSpec,
    program: PathBuf,
    model: PathBuf,
}

fn installed(server: &str, variable: &str) -> Option<Installed> {
    let variables = [
        variable,
        &format!("{}_MODEL", variable.trim_end_matches("_SERVER")),
    ];
    let [program, model] = variables.map(|name| std::env::var_os(name).map(PathBuf::from));
    let found = program.zip(model);
    if found.is_none() {
        println!("skipped: {variable} is not set");
    }
    let (program, model) = found?;
    let spec = ServerSpec::named(server).unwrap();
    Some(Installed {
        spec,
        program,
        model,
    })
}

fn llama() -> Option<Installed> {
    installed("llamacpp", "SBT_LLAMA_SERVER")
}

fn vllm() -> Option<Installed> {
    installed("vllm", "SBT_VLLM")
}

/// What a command prints, on both streams.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

impl Installed {
    fn tells_its_version(&self, part: &str) {
        let version = self.spec.version_command.as_ref().unwrap();
        let words = version.command(&self.program);
        let printed = output(Command::new(&words[0]).args(&words[1..]));
        assert!(version.find(&printed).unwrap().contains(part), "{printed}");
    }

    fn knows_every_flag(&self, help: &[&str]) {
        let help = output(Command::new(&self.program).args(help));
        let known: Vec<&str> = help
            .split(|c: char| c.is_whitespace() || ",=[]".contains(c))
            .collect();
        let launch = self.spec.launch.as_ref().unwrap();
        let of_launch = launch.command.iter().chain(&launch.measured);
        let of_knobs = self.spec.knobs.values();
        let of_knobs = of_knobs.flat_map(|knob| [Some(&knob.flag), knob.off_flag.as_ref()]);
        let words = of_launch.chain(of_knobs.flatten());
        for flag in words.filter(|word| word.starts_with('-')) {
            // A key of a flag that takes a JSON object: `--flag.key`.
            let named = flag.split_once('.').map_or(flag.as_str(), |(flag, _)| flag);
            assert!(known.contains(&named), "{flag}");
        }
    }

    /// Starts it as sbt does, after the shell command `limit`, and expects that it ends by itself
    /// with a log that tells why.
    fn fails(
        &self,
        model: &Path,
        knobs: &str,
        port: u16,
        limit: &str,
        (outcome, reason): (Outcome, &str),
    ) {
        let config = Config::from_json("test", knobs).unwrap();
        let place = Place {
            program: self.program.to_str(),
            host: "127.0.0.1",
            port,
            name: "small",
        };
        let words = self
            .spec
            .measured_command(model.to_str().unwrap(), &config, &place);
        let offline = ("HF_HUB_OFFLINE".to_owned(), "1".to_owned());
        let launch = self.spec.launch.as_ref().unwrap();
        // A server that comes up in spite of it must not run for ever.
        let shell = format!(r#"{limit} exec timeout 200 "$@""#);
        let log = output(
            Command::new("sh")
                .args(["-c", &shell, "sh"])
                .args(words)
                .env_clear()
                .envs(launch.environment(std::env::vars(), &[offline].into())),
        );
        let failure = FailurePattern::first(&self.spec.failures, &log);
        let failure = failure.map(|(failure, _)| (failure.outcome, failure.reason.as_str()));
        assert_eq!(failure, Some((outcome, reason)), "{log}");
    }
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn installed_llama_server_knows_every_flag_and_tells_its_version() {
    let Some(llama) = llama() else { return };
    llama.tells_its_version("build");
    llama.knows_every_flag(&["--help"]);
}

#[test]
fn installed_vllm_knows_every_flag_and_tells_its_version() {
    let Some(vllm) = vllm() else { return };
    vllm.tells_its_version("0.32.0");
    vllm.knows_every_flag(&["serve", "--help=all"]);
}

#[test]
fn llama_server_without_a_whole_model_says_so() {
    let Some(llama) = llama() else { return };
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(&llama.model).unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    for (path, reason) in [
        (
            folder.path().join("absent.gguf"),
            "the model file cannot be opened",
        ),
        (
            file("cut.gguf", &whole[..whole.len() / 2]),
            "the model file is cut off",
        ),
        (
            file("junk.gguf", b"no model at all"),
            "the model file is no GGUF file",
        ),
    ] {
        llama.fails(
            &path,
            "{}",
            free_port(),
            "",
            (Outcome::LaunchFailed, reason),
        );
    }
}

#[test]
fn server_on_a_busy_port_blames_the_port() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    for server in [llama(), vllm()].into_iter().flatten() {
        let end = (Outcome::LaunchFailed, "the port is in use");
        server.fails(&server.model, "{}", port, "", end);
    }
}

#[test]
fn llama_server_without_memory_for_its_cache_is_out_of_memory() {
    let Some(llama) = llama() else { return };
    for (knobs, limit) in [
        (r#"{"ctx_size":10000000}"#, ""),
        (r#"{"ctx_size":65536,"parallel":1}"#, "ulimit -v 1500000;"),
    ] {
        let end = (Outcome::Oom, "the machine ran out of memory");
        llama.fails(&llama.model, knobs, free_port(), limit, end);
    }
}

#[test]
fn llama_server_with_a_quantised_cache_needs_flash_attention() {
    let Some(llama) = llama() else { return };
    let knobs = r#"{"ctx_size":1024,"flash_attn":"off","cache_type_v":"q8_0"}"#;
    let end = (
        Outcome::LaunchFailed,
        "a quantised V cache needs flash attention",
    );
    llama.fails(&llama.model, knobs, free_port(), "", end);
    let config = Config::from_json("test", knobs).unwrap();
    assert_eq!(llama.spec.breaches(&config, &BTreeMap::new()).len(), 1);
}

#[test]
fn vllm_with_a_longer_context_than_the_model_says_so() {
    let Some(vllm) = vllm() else { return };
    let end = (
        Outcome::LaunchFailed,
        "max_model_len exceeds the model's context length",
    );
    let knobs = r#"{"max_model_len":100000}"#;
    vllm.fails(&vllm.model, knobs, free_port(), "", end);
}

#[test]
fn vllm_without_its_model_says_so() {
    let Some(vllm) = vllm() else { return };
    let end = (
        Outcome::LaunchFailed,
        "the model is neither a folder nor in the hub's cache",
    );
    vllm.fails(Path::new("no/model"), "{}", free_port(), "", end);
}
