//! Programs that mean harm, run for real. Where the machine does not offer isolation the tests say
//! what is missing and skip.
//! `SBT_SANDBOX=required` makes that a failure.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop and may say why it skips"
)]

mod ends;
mod files;
mod humaneval;
mod others;
mod resources;
mod unprivileged;

use std::path::{Path, PathBuf};

use sbt_sandbox::{Finished, Guard, Helper, Isolation, Limits, Python, Sandbox};

/// A sandbox by this crate's own helper.
fn sandbox(guard: Guard) -> Sandbox {
    Sandbox {
        helper: Helper {
            executable: PathBuf::from(env!("CARGO_BIN_EXE_sandbox-helper")),
            arguments: Vec::new(),
        },
        python: Python::locate(Path::new("python3")).unwrap(),
        guard,
    }
}

/// A sandbox, or none and the reason printed.
fn isolated() -> Option<Sandbox> {
    let sandbox = sandbox(Guard::Full);
    match sandbox.probe() {
        Isolation::Full => Some(sandbox),
        Isolation::Missing(missing) => {
            let required = std::env::var_os("SBT_SANDBOX").is_some_and(|v| v == "required");
            assert!(!required, "{missing:?}");
            println!("skipped: this machine offers too little: {missing:?}");
            None
        }
    }
}

/// Runs `program` under small limits.
fn run(sandbox: &Sandbox, program: &str) -> Finished {
    sandbox.run(program, &Limits::default()).unwrap()
}

/// Runs a program that tries something and prints the name of the exception that stopped it, or
/// what it got.
fn attempt(sandbox: &Sandbox, body: &str) -> String {
    let indented: String = body.lines().map(|line| format!("    {line}\n")).collect();
    let program = format!(
        "import ctypes, os, socket, subprocess, sys\ntry:\n{indented}\
         except Exception as error:\n    print(type(error).__name__)\n"
    );
    let finished = run(sandbox, &program);
    assert!(finished.is_success(), "{finished:?}");
    finished.stdout.text.trim_end().to_owned()
}
