use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::marker::PhantomData;
use std::path::Path;

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

    /// What the file of a name says, where a file can say it.
    ///
    /// # Errors
    /// With the file, and what is wrong with it.
    fn of_file(_name: &str) -> Option<Result<Self, String>> {
        None
    }
}

impl Catalogued for Model {
    fn find(name: &str) -> Option<&'static Self> {
        Self::named(name)
    }

    fn names() -> Vec<&'static str> {
        Self::names().collect()
    }

    /// A `config.json` of Hugging Face, found from the working directory.
    fn of_file(name: &str) -> Option<Result<Self, String>> {
        let path = Path::new(name);
        let json = path.extension().is_some_and(|e| e == "json");
        json.then(|| {
            let failed = |problem: String| format!("{name}: {problem}");
            let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
            let model = Self::from_hf_config(&model_name(path), &text);
            model.map_err(|error| failed(error.to_string()))
        })
    }
}

/// What the file is called, or its folder where every repository calls it the same.
fn model_name(path: &Path) -> String {
    let named = path.with_extension("");
    let folder = path.parent().filter(|_| named.ends_with("config"));
    let name = folder.unwrap_or(&named).file_name();
    name.map_or("model".into(), |name| name.to_string_lossy().into_owned())
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

impl<'de, T: Deserialize<'de> + Catalogued> Deserialize<'de> for CatalogueEntry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Catalogued> Visitor<'de> for Entry<T> {
            type Value = CatalogueEntry<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name of the catalogue, or a table")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                match T::of_file(name) {
                    None => Ok(CatalogueEntry::Named(name.to_owned())),
                    Some(read) => {
                        let read = read.map_err(E::custom)?;
                        Ok(CatalogueEntry::Custom(Box::new(read)))
                    }
                }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(name: &Path) -> Result<CatalogueEntry<Model>, String> {
        serde_json::from_value(json!(name)).map_err(|error| error.to_string())
    }

    #[test]
    fn config_of_hugging_face_is_a_description() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("Small-1B");
        fs::create_dir(&folder).unwrap();
        let file = folder.join("config.json");
        let config = json!({
            "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4,
            "num_hidden_layers": 2, "vocab_size": 100, "max_position_embeddings": 100,
        });
        fs::write(&file, config.to_string()).unwrap();
        let model = entry(&file).unwrap().resolve().unwrap();
        assert_eq!((model.name.as_str(), model.layers), ("Small-1B", 2));

        fs::write(&file, "{}").unwrap();
        let problem = entry(&file).unwrap_err();
        assert!(
            problem.contains("config.json: `num_hidden_layers` is missing"),
            "{problem}"
        );
        let nowhere = entry(&dir.path().join("nowhere.json")).unwrap_err();
        assert!(nowhere.contains("nowhere.json"), "{nowhere}");
    }
}
