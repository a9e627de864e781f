use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Public data that some tests read; none when it is not on this machine.
pub(crate) fn data(path: &str) -> Option<PathBuf> {
    let base =
        std::env::var_os("SBT_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let file = base.join(path);
    if !file.exists() {
        println!("skipped: {} is not on this machine", file.display());
        return None;
    }
    file.canonicalize().ok()
}

/// The binary under test: `SBT_BIN`, or the one that this build made.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("SBT_BIN").map_or_else(|| env!("CARGO_BIN_EXE_sbt").into(), PathBuf::from)
}

/// A folder of its own with a store of its own.
pub(crate) struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    pub(crate) fn write(&self, relative: &str, content: &str) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, relative: &str) -> String {
        let path = self.path(relative);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// A command with the sandbox as its working directory and no inherited settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_remove("SBT_STORE")
            .env_remove("SBT_PROFILE")
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().unwrap())
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs and expects exit code 0.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}\n{outcome}");
        outcome
    }

    /// Rows of a table, as JSON objects.
    pub(crate) fn table(&self, reference: &str) -> Vec<Value> {
        let out = self.ok(&["table", reference, "--format", "json"]);
        let rows = out.stdout.lines();
        rows.map(|row| serde_json::from_str(row).unwrap()).collect()
    }

    /// Digest of each file below a folder, by relative path.
    pub(crate) fn digests(&self, relative: &str) -> BTreeMap<String, String> {
        let base = self.path(relative);
        let mut digests = BTreeMap::new();
        for file in files_below(&base) {
            let name = file.strip_prefix(&base).unwrap().display().to_string();
            digests.insert(name, blake3::hash(&fs::read(&file).unwrap()).to_string());
        }
        digests
    }

    /// Every event of every run in the store, in the order of the runs' names.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut journals: Vec<_> = files_below(&self.path(".sbt/runs"))
            .into_iter()
            .filter(|file| file.file_name().is_some_and(|name| name == "events.jsonl"))
            .collect();
        journals.sort();
        journals
            .iter()
            .flat_map(|file| {
                let text = fs::read_to_string(file).unwrap();
                // The last line of a killed run may be torn.
                text.lines()
                    .filter_map(|line| serde_json::from_str(line).ok())
                    .collect::<Vec<Value>>()
            })
            .collect()
    }
}

/// Every file below a folder, sorted.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// How a run of the binary ended.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "code {:?}\n-- stdout\n{}\n-- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}
