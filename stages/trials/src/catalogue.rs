use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use sbt_engine::nearest_name;
use sbt_simulator::{Gpu, Model};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Something that a catalogue knows by name, or that a pipeline describes itself.
#[derive(Debug, Clone, PartialEq)]
pub enum CatalogueEntry<T> {
    /// A name of the catalogue.
    Named(String),
    /// A description of its own.
    Custom(Box<T>),
}

/// A type with a catalogue of its own.
pub trait Catalogued: Clone + 'static {
    /// The entry of this name.
    fn find(name: &str) -> Option<&'static Self>;

    /// Every name.
    fn names() -> Vec<&'static str>;
}

impl Catalogued for Model {
    fn find(name: &str) -> Option<&'static Self> {
        Self::named(name)
    }

    fn names() -> Vec<&'static str> {
        Self::names().collect()
    }
}

impl Catalogued for Gpu {
    fn find(name: &str) -> Option<&'static Self> {
        Self::named(name)
    }

    fn names() -> Vec<&'static str> {
        Self::names().collect()
    }
}

impl<T: Catalogued> CatalogueEntry<T> {
    /// What the name stands for, or the description itself.
    ///
    /// # Errors
    /// With the nearest name, or all of them.
    pub fn resolve(&self) -> Result<T, String> {
        let name = match self {
            Self::Named(name) => name,
            Self::Custom(description) => return Ok((**description).clone()),
        };
        T::find(name).cloned().ok_or_else(|| {
            let names = T::names();
            match nearest_name(name, names.iter().copied()) {
                Some(near) => format!("`{name}` is not in the catalogue; did you mean `{near}`?"),
                None => format!("`{name}` is not in the catalogue: {}", names.join(", ")),
            }
        })
    }
}

impl<T: Serialize> Serialize for CatalogueEntry<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named(name) => serializer.serialize_str(name),
            Self::Custom(description) => description.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for CatalogueEntry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entry<T> {
            type Value = CatalogueEntry<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name of the catalogue, or a table")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(CatalogueEntry::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let description = T::deserialize(MapAccessDeserializer::new(map))?;
                Ok(CatalogueEntry::Custom(Box::new(description)))
            }
        }
        deserializer.deserialize_any(Entry(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for CatalogueEntry<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Entry", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "type": "string" }, generator.subschema_for::<T>()]
        })
    }
}
