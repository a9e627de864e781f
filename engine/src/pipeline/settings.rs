use std::time::Duration;

use serde_json::Value;

use super::plan::CachePolicy;
use super::{condition, duration};

/// Chosen: more attempts than this hide that something is broken.
const MOST_RETRIES: u64 = 100;

/// What the engine does with a stage, whatever its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: u32,
    pub(crate) cache: CachePolicy,
    pub(crate) enabled: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: None,
            retries: 0,
            cache: CachePolicy::Use,
            enabled: true,
        }
    }
}

impl Settings {
    /// Keys that it reads.
    pub(crate) const KEYS: [&str; 4] = ["timeout", "retries", "cache", "when"];

    /// Takes one of its keys.
    pub(crate) fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        match key {
            "timeout" => self.timeout = Some(time(key, value)?),
            "retries" => self.retries = retries(value)?,
            "cache" => self.cache = cache(value)?,
            _ => self.enabled = condition::holds(value)?,
        }
        Ok(())
    }
}

fn time(key: &str, value: &Value) -> Result<Duration, String> {
    let parsed = value.as_str().and_then(duration::parse);
    parsed.ok_or_else(|| {
        format!("`{key}` must be a time with a unit, such as \"90s\" or \"30m\", found {value}")
    })
}

fn retries(value: &Value) -> Result<u32, String> {
    let count = value.as_u64().filter(|count| *count <= MOST_RETRIES);
    let count = count.and_then(|count| u32::try_from(count).ok());
    count.ok_or_else(|| {
        format!("`retries` must be a whole number from 0 to {MOST_RETRIES}, found {value}")
    })
}

fn cache(value: &Value) -> Result<CachePolicy, String> {
    match value {
        Value::Bool(true) => return Ok(CachePolicy::Use),
        Value::Bool(false) => return Ok(CachePolicy::Off),
        Value::String(word) if word == "use" => return Ok(CachePolicy::Use),
        Value::String(word) if word == "off" => return Ok(CachePolicy::Off),
        Value::Object(map) if map.len() == 1 => {
            if let Some(age) = map.get("max_age") {
                return time("max_age", age).map(CachePolicy::MaxAge);
            }
        }
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {}
    }
    Err(format!(
        "`cache` must be \"use\", \"off\" or {{ max_age = \"7d\" }}, found {value}"
    ))
}
