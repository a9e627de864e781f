use sbt_scorers::Scorer;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::suite::{Family, Item, Message, Role};

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Option<String>,
    prompt: String,
    schema: Value,
    /// An object whose fields the answer must have; without it the schema alone counts.
    #[serde(default)]
    reference: Option<Map<String, Value>>,
}

/// Objects that must fit a schema.
pub(super) fn read(text: &str) -> Result<Vec<Item>, String> {
    super::lines(text, |number, line: Line| {
        let fields = line
            .reference
            .iter()
            .flat_map(Map::keys)
            .map(|name| pointer(name));
        Ok(vec![Item {
            id: line.id.unwrap_or_else(|| format!("json-{number:04}")),
            family: Family::Structured,
            messages: vec![Message::new(Role::User, line.prompt)],
            scorer: Scorer::Json {
                schema: line.schema,
                fields: fields.collect(),
            },
            reference: line
                .reference
                .map(|fields| Value::Object(fields).to_string()),
            tags: Vec::new(),
            max_tokens: 512,
        }])
    })
}

/// JSON pointer to a field of an object.
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
