//! vLLM on CPUs, as `tests/install/vllm` left it. A start takes half a minute: few of them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use super::case::{Case, Installed, assert_ended, table};
use super::processes::{child_without, free_port, get, halt, is_gone, kill, starve, wait_for};
use crate::sandbox::Sandbox;

const RUNNING: &str = "vllm:num_requests_running{";

fn vllm() -> Option<Installed> {
    Installed::find("vllm", "SBT_VLLM", "SBT_VLLM_MODEL")
}

/// Few short requests.
fn short(vllm: &Installed) -> Case {
    let config = "max_model_len = 1024, max_num_seqs = 4, enforce_eager = true";
    Case {
        backend: backend(1),
        ..Case::new(vllm, config)
    }
}

/// With so many GiB for the KV cache.
fn backend(kv_gib: u32) -> String {
    format!(
        r#"args = ["--dtype", "bfloat16"]
env = {{ VLLM_CPU_KVCACHE_SPACE = "{kv_gib}", OMP_NUM_THREADS = "2", HF_HUB_OFFLINE = "1" }}"#
    )
}

/// So much to generate that something can happen meanwhile.
fn long(vllm: &Installed) -> Case {
    Case {
        output_tokens: 400,
        ..short(vllm)
    }
}

/// The process that schedules: the front's child. Its title is not always set.
fn engine(server: Pid) -> Pid {
    child_without("resource_tracker", server)
}

/// The process that computes: the engine's child.
fn worker(server: Pid) -> Pid {
    child_without("resource_tracker", engine(server))
}

#[test]
fn request_beyond_the_context_of_a_real_vllm_has_its_own_class() {
    let Some(vllm) = vllm() else { return };
    let sandbox = Sandbox::new();
    let case = Case {
        // The prompt alone fits.
        prompt_tokens: 1020,
        ..short(&vllm)
    };
    case.ends(&sandbox, "too_many_errors", "context_overflow");
    for request in table(&sandbox, "requests") {
        assert_eq!(request["status"], "context_overflow", "{request}");
    }
    let trial = table(&sandbox, "trials").remove(0);
    let size = |name: &str| trial[name].as_u64().unwrap();
    let (blocks, block_size) = (size("num_gpu_blocks"), size("block_size"));
    assert_eq!(size("kv_cache_tokens"), blocks * block_size);
    assert_eq!((size("max_num_seqs"), size("max_model_len")), (4, 1024));
    assert!(size("max_num_batched_tokens") >= 1024, "{trial:#}");
}

#[test]
fn real_vllm_that_cannot_start_says_why() {
    let Some(vllm) = vllm() else { return };
    let flag = Case {
        backend: r#"args = ["--no-such-flag"]"#.to_owned(),
        ..short(&vllm)
    };
    let reason = "this version does not know a flag";
    flag.ends(&Sandbox::new(), "launch_failed", reason);
    let memory = Case {
        backend: backend(100_000),
        ..short(&vllm)
    };
    let reason = "the machine has less memory than the KV cache asks for";
    memory.ends(&Sandbox::new(), "oom", reason);
    let slow = Case {
        backend: format!("start_timeout_s = 2.0\n{}", backend(1)),
        ..short(&vllm)
    };
    slow.ends(&Sandbox::new(), "hung", "not ready within 2 s");
}

#[test]
fn real_vllm_without_its_model_or_its_port_stops_the_run() {
    let Some(vllm) = vllm() else { return };
    let no_model = Case {
        model: PathBuf::from("/no/such/model"),
        ..short(&vllm)
    };
    let reason = "the model is neither a folder nor a name of the hub";
    no_model.stops_the_run(&Sandbox::new(), reason);
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let no_port = Case {
        backend: format!("port = {port}\n{}", backend(1)),
        ..short(&vllm)
    };
    no_port.stops_the_run(&Sandbox::new(), "in use");
}

#[test]
fn real_vllm_without_memory_under_load_fails_the_trial() {
    let Some(vllm) = vllm() else { return };
    let case = Case {
        prompt_tokens: 500,
        ..long(&vllm)
    };
    let trial = case.after(&Sandbox::new(), RUNNING, |server| {
        starve(worker(server));
    });
    // Not everything that needs memory says so when it gets none.
    match trial["outcome"].as_str() {
        Some("oom") => assert_ended(&trial, "oom", "the machine ran out of memory"),
        _ => assert_ended(&trial, "crashed", "oneDNN could not set up a computation"),
    }
}

#[test]
fn real_vllm_that_the_kernel_kills_for_memory_is_out_of_memory() {
    let Some(vllm) = vllm() else { return };
    let Some(cell) = Cell::new(1_500_000_000) else {
        return;
    };
    let sandbox = Sandbox::new();
    let enter = format!("echo $$ >{}/cgroup.procs", cell.0.display());
    let case = Case {
        program: vllm.wrapped(&sandbox, &enter),
        ..short(&vllm)
    };
    case.ends(&sandbox, "oom", "the kernel killed a process for memory");
}

#[test]
fn real_vllm_whose_engine_is_killed_has_crashed() {
    let Some(vllm) = vllm() else { return };
    let trial = long(&vllm).after(&Sandbox::new(), RUNNING, |server| {
        kill(engine(server));
    });
    assert_ended(&trial, "crashed", "the engine's process ended");
}

#[test]
fn real_vllm_whose_front_is_killed_has_crashed() {
    let Some(vllm) = vllm() else { return };
    let trial = long(&vllm).after(&Sandbox::new(), RUNNING, kill);
    assert_ended(&trial, "crashed", "signal 9");
}

/// Its front goes on to answer that all is well.
#[test]
fn real_vllm_whose_engine_stands_still_hangs_and_is_ended() {
    let Some(vllm) = vllm() else { return };
    let case = Case {
        requests: 4,
        ..long(&vllm)
    };
    let trial = case.after(&Sandbox::new(), RUNNING, |server| {
        halt(engine(server));
    });
    assert_ended(&trial, "hung", "is stopped by a signal");
}

#[test]
fn wrong_key_is_refused_by_a_real_vllm_and_shown_nowhere() {
    const RIGHT: &str = "sk-right-0123456789";
    const WRONG: &str = "sk-wrong-0123456789";
    let Some(vllm) = vllm() else { return };
    let port = free_port();
    let mut server = Command::new(&vllm.program)
        .args(["serve", vllm.model.to_str().unwrap()])
        .args(["--port", &port.to_string(), "--served-model-name", "small"])
        .args(["--dtype", "bfloat16", "--max-model-len", "1024"])
        .args(["--enforce-eager", "--api-key", RIGHT])
        .env("VLLM_CPU_KVCACHE_SPACE", "1")
        .env("HF_HUB_OFFLINE", "1")
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("a server that is ready", || {
        get(port, "/health")?.contains("200 OK").then_some(())
    });
    short(&vllm).needs_key(&Sandbox::new(), port, (WRONG, RIGHT));
    let group = Pid::from_child(&server);
    kill_process_group(group, Signal::KILL).unwrap();
    server.wait().unwrap();
    wait_for("its end", || is_gone(group).then_some(()));
}

/// A control group (version 1) whose processes have so much memory together.
struct Cell(PathBuf);

impl Cell {
    /// None, with words, where none can be made.
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("sbt-test-{}", std::process::id());
        let cell = Self(Path::new("/sys/fs/cgroup/memory").join(name));
        let made = fs::create_dir(&cell.0);
        let limit = cell.0.join("memory.limit_in_bytes");
        if let Err(error) = made.and_then(|()| fs::write(limit, bytes.to_string())) {
            println!("skipped: {}: {error}", cell.0.display());
            return None;
        }
        Some(cell)
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // It may not be there; and a failed test may have left a process in it.
        let _ = fs::remove_dir(&self.0);
    }
}
