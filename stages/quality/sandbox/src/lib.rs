//! Runs one Python program that a model wrote, under limits, and says how it ended.
//!
//! The caller's binary starts itself again as a [`Helper`]. The helper enters new pid, network,
//! mount, IPC and UTS namespaces (and a user namespace, or as root a user of its own), builds a
//! root that holds the interpreter, its standard library and an empty `/tmp`, gives up every
//! privilege, applies resource limits, Landlock and a list of allowed system calls, and only then
//! starts Python. When the helper's second half ends, the kernel kills whatever the program left
//! running, since that half is process 1 of the namespace.
//!
//! Invariant: with [`Guard::Full`] a step that fails ends the run with [`Error::Step`] before the
//! program has started. Landlock alone is used as far as the kernel has it: it is a second fence
//! behind the mount namespace.
//!
//! ```no_run
//! use std::path::Path;
//! use sbt_sandbox::{Guard, Helper, Isolation, Limits, Python, Sandbox};
//!
//! let sandbox = Sandbox {
//!     // This binary, whose hidden subcommand calls `helper_main` before any thread is started.
//!     helper: Helper {
//!         executable: "/proc/self/exe".into(),
//!         arguments: vec!["sandbox-helper".into()],
//!     },
//!     python: Python::locate(Path::new("python3"))?,
//!     guard: Guard::Full,
//! };
//! if sandbox.probe() == Isolation::Full {
//!     let finished = sandbox.run("print(6 * 7)", &Limits::default())?;
//!     assert_eq!(finished.stdout.text, "42\n");
//! }
//! # Ok::<(), sbt_sandbox::Error>(())
//! ```

mod error;
mod finished;
mod limits;
#[cfg(target_os = "linux")]
mod linux;
mod python;
mod sandbox;

pub use error::Error;
pub use finished::{Ending, Finished, Stream};
pub use limits::Limits;
#[cfg(target_os = "linux")]
pub use linux::helper_main;
pub use python::Python;
pub use sandbox::{Guard, Helper, Isolation, Sandbox};
