use sbt_trials::Knob;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error as _};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::dimension::Dimension;

/// Where a knob exists: only where another one has one of some values. Elsewhere it is not set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct When {
    /// The other knob.
    pub(crate) knob: String,
    /// Its values.
    pub(crate) is: Vec<Knob>,
}

/// A knob of a space: its values, and where it exists.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub(crate) dimension: Dimension,
    pub(crate) when: Option<When>,
}

const WHEN: &str = "when";

impl<'de> Deserialize<'de> for Axis {
    /// Reads `{ kind = "bool", when = { knob = "…", is = […] } }`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        let when = fields.remove(WHEN).map(serde_json::from_value).transpose();
        let dimension = Dimension::deserialize(Value::Object(fields));
        Ok(Self {
            when: when.map_err(D::Error::custom)?,
            dimension: dimension.map_err(D::Error::custom)?,
        })
    }
}

impl Serialize for Axis {
    /// Writes what [`Axis::deserialize`] reads.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serde_json::to_value(&self.dimension).map_err(S::Error::custom)?;
        if let Some(when) = &self.when {
            fields[WHEN] = json!(when);
        }
        fields.serialize(serializer)
    }
}

impl JsonSchema for Axis {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Axis".into()
    }

    /// That of a dimension, with `when` in each of its kinds.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Dimension::json_schema(generator);
        let when = generator.subschema_for::<When>();
        let kinds = schema.get_mut("oneOf").and_then(Value::as_array_mut);
        for kind in kinds.into_iter().flatten() {
            kind["properties"][WHEN] = json_schema!({
                "description": "Where the knob exists.",
                "allOf": [when],
            })
            .to_value();
        }
        schema
    }
}
