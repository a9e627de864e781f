//! The sandbox as its caller sees it.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Ending, Error, Finished, Limits, Python};

/// The command that calls [`helper_main`](crate::helper_main): a binary that starts itself again
/// names `/proc/self/exe` and a hidden subcommand. One more argument is added, the stage.
#[derive(Clone, Debug)]
pub struct Helper {
    /// The binary.
    pub executable: PathBuf,
    /// Its arguments before the stage.
    pub arguments: Vec<OsString>,
}

/// How strictly a program is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guard {
    /// Everything, or the program is not started.
    Full,
    /// Resource limits, an empty environment and a directory of its own, but **no isolation**: the
    /// program can read and write what the user can. For users who have said that they want this.
    LimitsOnly,
}

/// What this machine offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Programs run with [`Guard::Full`].
    Full,
    /// They do not, and this is missing.
    Missing(Vec<String>),
}

/// Runs programs, each in a sandbox of its own. May be shared between threads.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// The helper that sets isolation up.
    pub helper: Helper,
    /// The interpreter.
    pub python: Python,
    /// How strictly programs are held.
    pub guard: Guard,
}

/// Prints what it should not have been able to do.
const PROBE: &str = "
import os
def leak(what, attempt):
    try:
        attempt()
    except OSError:
        return
    print(what)
def connect():
    import socket
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))
leak('a network that programs cannot reach', connect)
leak('files that programs cannot read', lambda: os.listdir('/etc/ssl'))
leak('files that programs cannot read', lambda: open('/proc/1/environ').read())
leak('directories that programs cannot write', lambda: open('/usr/lib/probe', 'w'))
if os.getppid() != 1:
    print('a process namespace of its own')
";

impl Sandbox {
    /// What this machine offers: tried with a small program, not guessed. Takes as long as one run.
    pub fn probe(&self) -> Isolation {
        let tried = Self {
            guard: Guard::Full,
            ..self.clone()
        };
        let missing = match tried.run(PROBE, &Limits::default()) {
            Err(error) => vec![error.to_string()],
            Ok(finished) if finished.how == Ending::Exit(0) => {
                finished.stdout.text.lines().map(str::to_owned).collect()
            }
            Ok(finished) => vec![format!(
                "a Python that runs in the sandbox: it ended with {:?}: {}",
                finished.how,
                finished.stderr.text.trim_end()
            )],
        };
        if missing.is_empty() {
            Isolation::Full
        } else {
            Isolation::Missing(missing)
        }
    }

    /// Runs `program`, the text of a Python program, to its end. Blocks for at most
    /// [`wall_s`](Limits::wall_s) and the time to kill what is left.
    ///
    /// # Errors
    /// See [`Error`]; the program has not run, or its end is not known.
    pub fn run(&self, program: &str, limits: &Limits) -> Result<Finished, Error> {
        #[cfg(target_os = "linux")]
        return crate::linux::run(self, program, limits);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (program, limits);
            Err(Error::Step {
                step: "isolate a program".to_owned(),
                reason: "it takes Linux".to_owned(),
            })
        }
    }
}
