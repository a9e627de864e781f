mod endpoint;
mod launched;
mod protocol;
mod simulated;

use std::borrow::Cow;
use std::collections::BTreeMap;

use sbt_engine::ParamError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::simulated::engine_config;
use crate::{Config, Knob, ServerSpec};

pub use endpoint::{EndpointApi, EndpointBackend};
pub use launched::LaunchedBackend;
pub use simulated::SimulatorBackend;

/// What serves the requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Backend {
    /// The embedded simulator: no set-up, virtual time.
    Simulator(SimulatorBackend),
    /// A real server, started with the flags under test.
    Server(LaunchedBackend),
    /// A real server that runs already.
    Endpoint(EndpointBackend),
}

impl Backend {
    /// Everything that is wrong with a backend, with `path` leading to it.
    #[must_use]
    pub fn problems(&self, path: &[&str]) -> Vec<ParamError> {
        let wrong = match self {
            Self::Simulator(simulator) => simulator.problems(),
            Self::Server(launched) => launched.problems(),
            Self::Endpoint(endpoint) => endpoint.problems(),
        };
        let at = |(key, message): (&str, String)| ParamError::at(&[path, &[key]].concat(), message);
        wrong.into_iter().map(at).collect()
    }

    /// A configuration under the names of this backend, by another one's; without what it does not
    /// know.
    #[must_use]
    pub fn adopt(&self, config: &Config, rename: &BTreeMap<String, String>) -> Config {
        let knobs = config.knobs.iter().filter_map(|(name, value)| {
            let mut names = [Some(name), rename.get(name)].into_iter().flatten();
            let known = names.find(|name| self.check(name, value).is_ok())?;
            Some((known.clone(), value.clone()))
        });
        Config {
            name: config.name.clone(),
            knobs: knobs.collect(),
        }
    }

    /// Checks the name and the value of one knob: whether the server has it and takes it, and
    /// whether the simulator models it.
    ///
    /// # Errors
    /// At the knob's name. An unknown server is an error of the backend, not of its knobs.
    pub fn check(&self, name: &str, value: &Knob) -> Result<(), ParamError> {
        let Ok(server) = self.server() else {
            return Ok(());
        };
        self.check_with(&server, name, value)
    }

    fn check_with(&self, server: &ServerSpec, name: &str, value: &Knob) -> Result<(), ParamError> {
        match self {
            Self::Simulator(_) => {}
            Self::Server(_) => return server.check(name, value),
            Self::Endpoint(_) => {
                let message = "a server that runs already has no knobs to set";
                return Err(ParamError::at(&[name], message)
                    .help("`kind = \"server\"` starts one with the flags under test"));
            }
        }
        server.check(name, value)?;
        let alone = Config {
            name: String::new(),
            knobs: [(name.to_owned(), value.clone())].into(),
        };
        match engine_config(server, &server.effective(&alone)) {
            Ok(_) => Ok(()),
            Err(message) => Err(ParamError::at(&[name], message)),
        }
    }

    /// Everything that is wrong with the knobs of a configuration, with `path` leading to it.
    #[must_use]
    pub fn problems_of_config(&self, config: &Config, path: &[&str]) -> Vec<ParamError> {
        let Ok(server) = self.server() else {
            return Vec::new();
        };
        let knobs = config.knobs.iter();
        let wrong = knobs.filter_map(|(name, value)| self.check_with(&server, name, value).err());
        wrong
            .map(|error| ParamError {
                path: path
                    .iter()
                    .map(|&p| p.to_owned())
                    .chain(error.path)
                    .collect(),
                ..error
            })
            .collect()
    }

    /// The server that runs, or is modelled.
    ///
    /// # Errors
    /// With the nearest name when there is none, or what is wrong with the user's own file.
    pub fn server(&self) -> Result<Cow<'static, ServerSpec>, String> {
        match self {
            Self::Simulator(simulator) => ServerSpec::named(&simulator.server).map(Cow::Borrowed),
            Self::Server(launched) => ServerSpec::find(&launched.server),
            Self::Endpoint(endpoint) => ServerSpec::find(&endpoint.server),
        }
    }

    /// Whether its numbers are measurements.
    #[must_use]
    pub fn is_real(&self) -> bool {
        !matches!(self, Self::Simulator(_))
    }

    /// Environment variables that its servers and its key need: names for
    /// [`sbt_engine::Stage::pass_env`].
    #[must_use]
    pub fn pass_env(&self) -> Vec<String> {
        match self {
            Self::Simulator(_) => Vec::new(),
            Self::Server(_) => match self.server() {
                Ok(server) => server.launch.iter().flat_map(|l| l.pass.clone()).collect(),
                Err(_) => Vec::new(),
            },
            Self::Endpoint(endpoint) => {
                let key = Some(&endpoint.api_key_env).filter(|name| !name.is_empty());
                key.cloned().into_iter().collect()
            }
        }
    }

    /// The command that starts the server with a configuration, as words for a person's shell;
    /// empty for a server that runs already.
    #[must_use]
    pub fn command(&self, config: &Config) -> Vec<String> {
        let Ok(server) = self.server() else {
            return Vec::new();
        };
        match self {
            Self::Simulator(simulator) => {
                let model = simulator.model.resolve().map(|model| model.hf_id);
                server.command(&model.unwrap_or_else(|_| "MODEL".to_owned()), config)
            }
            Self::Server(launched) => {
                let mut words = server.command(&launched.model, config);
                words.extend(launched.args.iter().cloned());
                words
            }
            Self::Endpoint(_) => Vec::new(),
        }
    }

    /// The backend in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Simulator(simulator) => simulator.words(),
            Self::Server(launched) => launched.words(),
            Self::Endpoint(endpoint) => endpoint.words(),
        }
    }
}

#[cfg(test)]
mod tests;
