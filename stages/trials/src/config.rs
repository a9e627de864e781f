use std::collections::BTreeMap;
use std::fmt;

use sbt_engine::{Digest, canonical_json};
use sbt_schemas::CandidateRow;
use schemars::JsonSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Value of one knob.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Knob {
    /// A switch.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A word.
    Text(String),
}

impl<'de> Deserialize<'de> for Knob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KnobVisitor;
        impl Visitor<'_> for KnobVisitor {
            type Value = Knob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a knob's value: boolean, number or string")
            }

            fn visit_bool<E>(self, v: bool) -> Result<Knob, E> {
                Ok(Knob::Bool(v))
            }

            fn visit_i64<E>(self, v: i64) -> Result<Knob, E> {
                Ok(Knob::Int(v))
            }

            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Knob, E> {
                i64::try_from(v).map(Knob::Int).map_err(E::custom)
            }

            fn visit_f64<E>(self, v: f64) -> Result<Knob, E> {
                Ok(Knob::Float(v))
            }

            fn visit_str<E>(self, v: &str) -> Result<Knob, E> {
                Ok(Knob::Text(v.to_owned()))
            }
        }
        deserializer.deserialize_any(KnobVisitor)
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => write!(f, "{v}"),
            Self::Int(v) => write!(f, "{v}"),
            Self::Float(v) => write!(f, "{v}"),
            Self::Text(v) => f.write_str(v),
        }
    }
}

/// A serving configuration: knobs under the server's own names. A knob that is not set keeps the
/// server's default.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(with = "BTreeMap<String, Knob>")]
pub struct Config {
    /// Name for people; not part of the identity.
    pub name: String,
    /// Knobs that are set.
    pub knobs: BTreeMap<String, Knob>,
}

impl<'de> Deserialize<'de> for Config {
    /// Reads `{ name = "baseline", max_num_seqs = 96, … }`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut knobs = BTreeMap::<String, Knob>::deserialize(deserializer)?;
        match knobs.remove("name") {
            Some(Knob::Text(name)) => Ok(Self { name, knobs }),
            Some(_) => Err(de::Error::custom("`name` must be a string")),
            None => Err(de::Error::missing_field("name")),
        }
    }
}

impl Serialize for Config {
    /// Writes what [`Config::deserialize`] reads.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.knobs.len() + 1))?;
        map.serialize_entry("name", &self.name)?;
        for (name, knob) in &self.knobs {
            map.serialize_entry(name, knob)?;
        }
        map.end()
    }
}

impl Config {
    /// Knobs as canonical JSON.
    #[must_use]
    pub fn json(&self) -> String {
        canonical_json(&self.value())
    }

    /// Knobs as a JSON object.
    #[must_use]
    pub fn value(&self) -> Value {
        let entries = self.knobs.iter().map(|(name, knob)| {
            let value = match knob {
                Knob::Bool(v) => Value::from(*v),
                Knob::Int(v) => Value::from(*v),
                Knob::Float(v) => Value::from(*v),
                Knob::Text(v) => Value::from(v.clone()),
            };
            (name.clone(), value)
        });
        Value::Object(entries.collect())
    }

    /// Identity: 12 hex digits of a hash of the knobs.
    #[must_use]
    pub fn id(&self) -> String {
        Digest::of_value("sbt-config-v1", &self.value()).short()
    }

    /// The configuration that [`Config::json`] wrote.
    ///
    /// # Errors
    /// When the text is no JSON object of knobs.
    pub fn from_json(name: &str, json: &str) -> Result<Self, serde_json::Error> {
        Ok(Self {
            name: name.to_owned(),
            knobs: serde_json::from_str(json)?,
        })
    }

    /// The configuration of a candidate.
    ///
    /// # Errors
    /// A sentence that names it, when its text is no JSON object of knobs.
    pub fn of_candidate(row: &CandidateRow) -> Result<Self, String> {
        let name = &row.config_name;
        Self::from_json(name, &row.config)
            .map_err(|error| format!("configuration `{name}` is unreadable: {error}"))
    }
}
