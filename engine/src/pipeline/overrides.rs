use std::collections::BTreeMap;

use figment::value::{Dict, Tag, Value};
use toml::de::{DeTable, DeValue};

use super::toml_value;
use crate::diagnostic::Diagnostic;

/// Variables that override a pipeline begin so; the rest is keys, joined by `__`.
const PREFIXES: [&str; 2] = ["SBT_PARAMS__", "SBT_STAGES__"];

/// A value from outside of the files.
pub(crate) struct Override {
    pub(crate) path: Vec<String>,
    pub(crate) value: Value,
    pub(crate) from: Outside,
}

/// Where a value comes from that stands in no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outside {
    /// A variable of the environment.
    Environment(String),
    /// An argument of `--set`.
    Set(String),
}

impl std::fmt::Display for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Set(argument) => write!(f, "--set {argument}"),
        }
    }
}

impl Override {
    /// The value under its keys.
    pub(crate) fn nested(&self) -> Dict {
        let mut keys = self.path.iter().rev();
        let last = keys.next().cloned().unwrap_or_default();
        let mut dict = Dict::from([(last, self.value.clone())]);
        for key in keys {
            dict = Dict::from([(key.clone(), Value::Dict(Tag::Default, dict))]);
        }
        dict
    }
}

/// Overrides from variables such as `SBT_PARAMS__SLO__TTFT_P95_S=1.5`.
pub(crate) fn from_environment(env: &BTreeMap<String, String>) -> Vec<Override> {
    let mut found = Vec::new();
    for prefix in PREFIXES {
        let from_prefix = env.range(prefix.to_owned()..);
        for (name, text) in from_prefix.take_while(|(name, _)| name.starts_with(prefix)) {
            let keys = name["SBT_".len()..].split("__");
            found.push(Override {
                path: keys.map(str::to_lowercase).collect(),
                value: value(text),
                from: Outside::Environment(name.clone()),
            });
        }
    }
    found
}

/// The override of one `--set a.b=1`.
pub(crate) fn from_set(argument: &str) -> Result<Override, Diagnostic> {
    let malformed = || {
        Diagnostic::new(
            "sbt::override::syntax",
            format!("`--set {argument}` is not of the form KEY=VALUE"),
        )
        .help("write for example `--set params.seed=7`".to_owned())
    };
    let (key, text) = argument.split_once('=').ok_or_else(malformed)?;
    Ok(Override {
        path: dotted(key).ok_or_else(malformed)?,
        value: value(text),
        from: Outside::Set(argument.to_owned()),
    })
}

/// A TOML value; what is none is a plain string.
fn value(text: &str) -> Value {
    let plain = || Value::String(Tag::Default, text.to_owned());
    let Ok(parsed) = DeValue::parse(text) else {
        return plain();
    };
    toml_value::value(&parsed, &mut Vec::new()).unwrap_or_else(plain)
}

/// A TOML key, dotted and quoted as in a file.
fn dotted(key: &str) -> Option<Vec<String>> {
    let line = format!("{key} = 0");
    let table = DeTable::parse(&line).ok()?;
    let mut path = Vec::new();
    let mut table = table.get_ref();
    loop {
        let (key, value) = table.iter().next()?;
        path.push(key.get_ref().to_string());
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None => return Some(path),
        }
    }
}
