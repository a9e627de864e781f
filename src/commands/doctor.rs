use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nvml_wrapper::Nvml;
use serde_json::{Value, json};

use crate::arguments::JsonArgs;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::terminal::number::bytes;

/// Programs that a pipeline may want, and what for.
const PROGRAMS: &[(&str, &str)] = &[
    ("vllm", "real server"),
    ("llama-server", "real server"),
    ("sglang", "real server"),
    ("python3", "`command` stages in Python"),
];

struct Finding {
    what: &'static str,
    ok: bool,
    detail: String,
}

pub(crate) fn doctor(
    arguments: &JsonArgs,
    store: &Path,
    environment: &Environment,
) -> Result<(), Failure> {
    let mut findings = vec![simulator(), store_finding(store), cores(), gpus()];
    findings.extend(
        PROGRAMS
            .iter()
            .map(|(name, purpose)| program(name, purpose, environment)),
    );
    let mut out = io::stdout().lock();
    if arguments.json {
        let rows = findings
            .iter()
            .map(|f| json!({ "what": f.what, "ok": f.ok, "detail": f.detail }));
        writeln!(out, "{:#}", rows.collect::<Value>())?;
        return Ok(());
    }
    for finding in findings {
        let mark = if finding.ok { "yes" } else { "no " };
        writeln!(out, "{:<14} {mark}  {}", finding.what, finding.detail)?;
    }
    Ok(())
}

fn simulator() -> Finding {
    Finding {
        what: "simulator",
        ok: true,
        detail: "embedded, needs nothing".to_owned(),
    }
}

fn store_finding(store: &Path) -> Finding {
    let existing = store
        .ancestors()
        .find(|dir| dir.is_dir())
        .unwrap_or(Path::new("."));
    let probe = existing.join(format!(".sbt-probe-{}", std::process::id()));
    let (ok, detail) = match fs::write(&probe, b"probe").and_then(|()| fs::remove_file(&probe)) {
        Ok(()) => (true, format!("{} can be written", store.display())),
        Err(error) => (false, format!("{}: {error}", store.display())),
    };
    Finding {
        what: "store",
        ok,
        detail,
    }
}

fn cores() -> Finding {
    let (ok, detail) = match std::thread::available_parallelism() {
        Ok(n) => (true, format!("{n} for stages and trials (`--jobs`)")),
        Err(error) => (false, error.to_string()),
    };
    Finding {
        what: "cores",
        ok,
        detail,
    }
}

fn gpus() -> Finding {
    let (ok, detail) = match list_gpus() {
        Ok(names) if names.is_empty() => (false, "the driver reports none".to_owned()),
        Ok(names) => (true, names.join(", ")),
        Err(error) => (false, format!("no NVIDIA driver: {error}")),
    };
    Finding {
        what: "GPU",
        ok,
        detail,
    }
}

fn list_gpus() -> Result<Vec<String>, nvml_wrapper::error::NvmlError> {
    let nvml = Nvml::init()?;
    (0..nvml.device_count()?)
        .map(|index| {
            let device = nvml.device_by_index(index)?;
            Ok(format!(
                "{} ({})",
                device.name()?,
                bytes(device.memory_info()?.total)
            ))
        })
        .collect()
}

fn program(name: &'static str, purpose: &str, environment: &Environment) -> Finding {
    let path = environment.variables.get("PATH").map_or("", String::as_str);
    let found: Option<PathBuf> = std::env::split_paths(path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file());
    let ok = found.is_some();
    let detail = found.map_or_else(
        || format!("not on PATH ({purpose})"),
        |file| format!("{} ({purpose})", file.display()),
    );
    Finding {
        what: name,
        ok,
        detail,
    }
}
