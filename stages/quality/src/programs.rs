//! Where programs that a model wrote run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sbt_sandbox::{Guard, Helper, Isolation, Python, Sandbox};

/// Argument with which the binary that holds this crate must call [`sandbox_main`].
pub const SANDBOX: &str = "sandboxed-program";

/// The binary started again, to hold one program: see [`SANDBOX`].
#[must_use]
pub fn sandbox_main() -> ExitCode {
    #[cfg(target_os = "linux")]
    return sbt_sandbox::helper_main();
    #[cfg(not(target_os = "linux"))]
    ExitCode::FAILURE
}

/// Whether programs run.
pub(crate) enum Programs {
    Run(Sandbox),
    /// With the reason.
    NotRun(String),
}

impl Programs {
    /// Runs programs where this machine can hold them, or where the user says that they may run
    /// without.
    pub(crate) fn on_this_machine(unsafe_exec: bool) -> Self {
        let python = match Python::locate(Path::new("python3")) {
            Ok(python) => python,
            Err(error) => return Self::NotRun(error.to_string()),
        };
        let mut sandbox = Sandbox {
            helper: Helper {
                executable: PathBuf::from("/proc/self/exe"),
                arguments: vec![OsString::from(SANDBOX)],
            },
            python,
            guard: Guard::Full,
        };
        match (sandbox.probe(), unsafe_exec) {
            (Isolation::Full, _) => Self::Run(sandbox),
            (Isolation::Missing(_), true) => {
                sandbox.guard = Guard::LimitsOnly;
                Self::Run(sandbox)
            }
            (Isolation::Missing(missing), false) => Self::NotRun(format!(
                "this machine lacks {}; `unsafe_exec = true` runs programs all the same",
                missing.join(", ")
            )),
        }
    }
}
