//! The interpreter and the files it needs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Asks the interpreter itself, since no rule of paths fits distributions, pyenv and Nix alike.
const WHERE: &str = "
import json, os, sys, sysconfig
paths = sysconfig.get_paths()
maps = open('/proc/self/maps').read().splitlines() if os.path.exists('/proc/self/maps') else []
libraries = sorted({line.split()[-1] for line in maps if '.so' in line})
print(json.dumps({
    'executable': os.path.realpath(sys.executable),
    'library': sorted({os.path.realpath(paths[k]) for k in ('stdlib', 'platstdlib')}),
    'shared': libraries,
}))
";

/// A Python interpreter and the files it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Python {
    /// The binary, without symbolic links.
    pub(crate) executable: PathBuf,
    /// The directories of the standard library.
    pub(crate) library: Vec<PathBuf>,
    /// The shared libraries that it has loaded after its start.
    pub(crate) shared: Vec<PathBuf>,
}

impl Python {
    /// The interpreter that `command` starts: a path, or a name that is looked up.
    ///
    /// # Errors
    /// [`Error::Python`] when it cannot be started or does not answer.
    pub fn locate(command: &Path) -> Result<Self, Error> {
        let refused = |reason: String| Error::Python {
            python: command.to_owned(),
            reason,
        };
        let output = Command::new(command)
            .args(["-I", "-S", "-c", WHERE])
            .output()
            .map_err(|error| refused(error.to_string()))?;
        if !output.status.success() {
            return Err(refused(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| refused(error.to_string()))
    }
}
