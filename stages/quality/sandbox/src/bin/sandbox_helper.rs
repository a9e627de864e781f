//! The helper by itself, for this crate's tests; `sbt` starts its own binary again instead.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    return sbt_sandbox::helper_main();
    #[cfg(not(target_os = "linux"))]
    ExitCode::FAILURE
}
