//! What a real backend is, for keys: its version, its model, its GPUs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sbt_client::Target;
use sbt_client::side::Side;
use sbt_launcher::{GpuIdentity, Gpus};

use crate::backend::{EndpointBackend, LaunchedBackend};
use crate::server::{ServerSpec, Version, model_identity};

/// Parts of an identity by name.
pub(crate) type Identity = BTreeMap<String, String>;

/// Time limit of asking an endpoint who it is, while a pipeline is planned.
const ASK_WITHIN: Duration = Duration::from_secs(2);

/// Identities found so far by this process: several stages ask for the same, and a model of
/// gigabytes is read for it.
static KNOWN: Mutex<BTreeMap<String, Identity>> = Mutex::new(BTreeMap::new());

/// What is known under a key, else what `find` finds, on a thread of its own: it may wait for a
/// server, and the caller may be inside of an event loop.
fn once(key: String, find: impl FnOnce() -> Identity + Send) -> Identity {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(identity) = known.get(&key) {
        return identity.clone();
    }
    drop(known);
    let found = std::thread::scope(|scope| scope.spawn(find).join());
    let identity = found.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(key).or_insert(identity).clone()
}

/// Identity of a server that is started.
pub(crate) fn of_launched(launched: &LaunchedBackend) -> Identity {
    let key = serde_json::to_string(launched).unwrap_or_default();
    once(key, || {
        let mut identity = Identity::new();
        if let Ok(server) = ServerSpec::find(&launched.server) {
            identity.insert(
                "server".to_owned(),
                format!("{} ({})", server.name, server.digest),
            );
            let program = program(&server, launched.program.as_deref());
            identity.insert("version".to_owned(), version(&server, program.as_deref()));
        }
        let model = model_identity(&launched.model);
        let model = model.unwrap_or_else(|error| format!("unreadable: {error}"));
        identity.insert("model".to_owned(), model);
        if launched.gpus > 0 {
            let gpus = match Gpus::open(&[]) {
                Ok(gpus) => {
                    let GpuIdentity { names, driver } = gpus.identity();
                    format!("{}; driver {driver}", names.join(", "))
                }
                Err(reason) => reason,
            };
            identity.insert("gpus".to_owned(), gpus);
        }
        identity
    })
}

/// Identity of a server that runs already: what it says of itself now.
pub(crate) fn of_endpoint(endpoint: &EndpointBackend) -> Identity {
    let key = serde_json::to_string(endpoint).unwrap_or_default();
    once(key, || {
        let mut identity = Identity::from([("url".to_owned(), endpoint.url.clone())]);
        let side = Target::parse(&endpoint.url)
            .and_then(|target| Side::new(&target, ASK_WITHIN).map_err(|error| error.to_string()));
        if let Ok(side) = side {
            identity.insert("version".to_owned(), side.version().unwrap_or_default());
            let models = side.models().unwrap_or_default();
            let models: Vec<String> = models.into_iter().map(|model| model.id).collect();
            identity.insert("models".to_owned(), models.join(", "));
        }
        identity
    })
}

/// The program that is started, with its folder.
pub(crate) fn program(server: &ServerSpec, replaced: Option<&str>) -> Option<PathBuf> {
    let named = server.launch.as_ref()?.command.first()?;
    let name = replaced.unwrap_or(named);
    if name.contains('/') {
        return Some(PathBuf::from(name));
    }
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(name));
    found.find(|file| file.is_file())
}

/// Version of a program, or why it cannot be told.
pub(crate) fn version(server: &ServerSpec, program: Option<&Path>) -> String {
    let Some(program) = program else {
        return "not found".to_owned();
    };
    let Some(how) = &server.version_command else {
        return "not told".to_owned();
    };
    printed(how, program).unwrap_or_else(|error| error)
}

fn printed(how: &Version, program: &Path) -> Result<String, String> {
    let words = how.command(program);
    let (first, rest) = words.split_first().ok_or("no command to tell it")?;
    let output = Command::new(first).args(rest).output();
    let output = output.map_err(|error| format!("{first}: {error}"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let found = how.find(&text).map(str::to_owned);
    found.ok_or_else(|| format!("`{}` does not tell it", words.join(" ")))
}
