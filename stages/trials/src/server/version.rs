//! Which server, and which model, was measured.

use std::fs::File;
use std::io;
use std::path::Path;

use sbt_engine::Digest;
use serde::Deserialize;

/// How a server tells its version without loading a model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Words of a command that prints it and ends. `{program}` stands for the server's program,
    /// `{folder}` for the folder that it is in.
    pub command: Vec<String>,
    /// What stands before the version, in its line.
    pub after: String,
}

impl Version {
    /// The command for a program.
    #[must_use]
    pub fn command(&self, program: &Path) -> Vec<String> {
        let folder = program.parent().unwrap_or(Path::new("."));
        let fill = |word: &String| {
            word.replace("{program}", &program.to_string_lossy())
                .replace("{folder}", &folder.to_string_lossy())
        };
        self.command.iter().map(fill).collect()
    }

    /// The version in what the command printed, on either stream.
    #[must_use]
    pub fn find<'o>(&self, output: &'o str) -> Option<&'o str> {
        let mut after = output
            .lines()
            .filter_map(|line| line.trim().strip_prefix(self.after.as_str()));
        after.find(|version| !version.is_empty())
    }
}

/// What a model is, for keys: `file DIGEST` of a file, `folder DIGEST` of a folder with
/// `config.json`, `name NAME` of anything else, which the server resolves itself.
///
/// Of a folder count the contents of `config.json` and the names and sizes of all files: weights
/// of a hundred gigabytes are not read for it.
///
/// # Errors
/// When a file or folder that is there cannot be read.
pub fn model_identity(model: &str) -> io::Result<String> {
    let path = Path::new(model);
    if path.is_file() {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        return Ok(format!("file {}", Digest::finish(&hasher).short()));
    }
    if !path.is_dir() {
        return Ok(format!("name {model}"));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&std::fs::read(path.join("config.json"))?);
    let mut files = Vec::new();
    for entry in path.read_dir()? {
        let entry = entry?;
        // Weights in a hub's cache are links to files elsewhere.
        let size = std::fs::metadata(entry.path())?.len();
        files.push((entry.file_name(), size));
    }
    files.sort();
    for (name, size) in files {
        hasher.update(format!("\n{size} {}", name.to_string_lossy()).as_bytes());
    }
    Ok(format!("folder {}", Digest::finish(&hasher).short()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerSpec;

    #[test]
    fn version_is_what_stands_after_its_words() {
        let version = |server: &str| {
            let server = ServerSpec::named(server).unwrap();
            server.version_command.clone().unwrap()
        };
        let llama = "version: 0.1.0-dev (build 1, commit 7e4c0a9)\nbuilt with GNU 11.4.0\n";
        let found = version("llamacpp").find(llama).map(str::to_owned);
        assert_eq!(found.unwrap(), "0.1.0-dev (build 1, commit 7e4c0a9)");
        let vllm = "\nINFO nothing\nversion 0.32.0+cpu\n";
        assert_eq!(version("vllm").find(vllm), Some("0.32.0+cpu"));
        assert_eq!(version("llamacpp").find("no such option"), None);
        let command = version("vllm").command(Path::new("/opt/vllm/bin/vllm"));
        assert_eq!(command[0], "/opt/vllm/bin/python");
    }

    #[test]
    fn identity_follows_contents_of_a_file_and_names_and_sizes_of_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        let identity = |name: &str| {
            let path = folder.path().join(name);
            model_identity(path.to_str().unwrap()).unwrap()
        };
        write("config.json", "{}");
        write("model.safetensors", "1234");
        let (whole, weights) = (identity(""), identity("model.safetensors"));
        assert!(whole.starts_with("folder ") && weights.starts_with("file "));
        write("model.safetensors", "1235");
        assert_eq!(identity(""), whole);
        assert_ne!(identity("model.safetensors"), weights);
        write("model.safetensors", "12345");
        assert_ne!(identity(""), whole);
        assert_eq!(model_identity("org/model").unwrap(), "name org/model");
    }

    #[test]
    fn folder_without_config_is_no_model() {
        let folder = tempfile::tempdir().unwrap();
        let error = model_identity(folder.path().to_str().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
