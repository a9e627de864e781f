use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Config, Knob};

/// What `servers/NAME.toml` says about a server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSpec {
    /// Name, as in `backend.server`.
    pub name: String,
    /// Version whose behaviour the file describes.
    pub version: String,
    /// Knobs under the server's own names (snake case of the flag).
    pub knobs: BTreeMap<String, KnobSpec>,
    /// Rules between knobs.
    pub rules: Vec<Rule>,
}

/// One knob of a server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnobSpec {
    /// Flag on the command line, such as `--max-num-seqs`.
    pub flag: String,
    /// Flag that switches a boolean off, such as `--no-enable-prefix-caching`.
    #[serde(default)]
    pub off_flag: Option<String>,
    /// Type and range.
    pub kind: KnobKind,
    /// Whether changing it needs a new server.
    pub restart: bool,
    /// Whether it can change answers.
    pub quality: bool,
    /// Meaning.
    pub about: String,
}

/// Type and range of a knob.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KnobKind {
    /// A switch.
    Bool,
    /// A whole number.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A real number.
    Float {
        /// Least value.
        min: f64,
        /// Greatest value.
        max: f64,
    },
    /// One of some words.
    Choice(Vec<String>),
}

/// A rule that the server enforces.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What must hold, over knobs (unset ones have their default), `gpus` and properties of the
    /// model such as `model.heads`.
    pub expect: String,
    /// What the server says otherwise.
    pub message: String,
}

impl ServerSpec {
    /// A server by its name.
    ///
    /// # Errors
    /// With the nearest name when there is none.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        let _ = name;
        todo!("trials helper")
    }

    /// The knobs of a configuration that can change answers, without those at their default: the
    /// variant that table `quality` is keyed by, as canonical JSON.
    #[must_use]
    pub fn variant(&self, config: &Config) -> String {
        let _ = config;
        todo!("trials helper")
    }

    /// The rules that a configuration breaks: messages, empty when it is valid.
    #[must_use]
    pub fn breaches(&self, config: &Config, facts: &BTreeMap<String, Knob>) -> Vec<String> {
        let _ = (config, facts);
        todo!("trials helper")
    }

    /// The command that starts the server with a configuration, as words.
    #[must_use]
    pub fn command(&self, model_id: &str, config: &Config) -> Vec<String> {
        let _ = (model_id, config);
        todo!("trials helper")
    }
}
