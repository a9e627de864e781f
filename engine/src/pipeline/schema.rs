use serde_json::{Map, Value, json};

use crate::{Registry, StageKind};

/// A string with a reference may stand in the place of any value.
const REFERENCE: &str = "#/$defs/reference";

/// JSON Schema (draft 2020-12) of pipeline files, for editors.
#[must_use]
pub fn pipeline_schema(registry: Registry) -> Value {
    let mut definitions = Map::new();
    definitions.insert(
        "reference".into(),
        json!({
            "description": "`${params.x}`, `${matrix.axis}`, `${env.NAME}`, `${env.NAME:-default}` or \
                            `${file:PATH}`; alone it keeps the type of what it names.",
            "type": "string",
            "pattern": r"^.*\$\{.*$",
        }),
    );
    for kind in registry {
        define_kind(*kind, &mut definitions);
    }
    definitions.insert("stage".into(), stage(registry));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sbt pipeline",
        "description": "Stages that read and write tables. Strings below `stages` and `params` may \
                        hold references such as `${params.seed}`; `$$` is a plain `$`.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "name": {
                "description": "Name of the pipeline and of its folder of results; the file's name \
                                by default.",
                "type": "string",
            },
            "description": { "description": "What it is for.", "type": "string" },
            "include": {
                "description": "Files merged under this one, relative to it.",
                "type": "array",
                "items": { "type": "string" },
            },
            "params": {
                "description": "Values that stages refer to as `${params.x}`. Overridden by \
                                `[profile.NAME.params]`, SBT_PARAMS__X and `--set params.x=…`.",
                "type": "object",
            },
            "profile": {
                "description": "Overrides that `--profile NAME` applies.",
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "params": { "type": "object" },
                        "stages": stages(),
                    },
                },
            },
            "stages": stages(),
        },
        "$defs": definitions,
    })
}

fn stages() -> Value {
    json!({
        "description": "Stages by name.",
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z0-9_-]+$" },
        "additionalProperties": { "$ref": "#/$defs/stage" },
    })
}

/// What the engine reads of a stage; `with` depends on the kind. Nothing is required: an include
/// may give the rest.
fn stage(registry: Registry) -> Value {
    let names: Vec<&str> = registry.iter().map(|kind| kind.name()).collect();
    let kinds = registry.iter();
    let abouts: Vec<String> = kinds
        .map(|k| format!("* `{}`: {}", k.name(), k.about()))
        .collect();
    let by_kind = names.iter().map(|name| {
        json!({
            "if": { "properties": { "uses": { "const": name } }, "required": ["uses"] },
            "then": { "properties": { "with": { "$ref": format!("#/$defs/{name}") } } },
        })
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "uses": or_reference(json!({
                "description": format!("Kind of the stage.\n\n{}", abouts.join("\n")),
                "enum": names,
            })),
            "with": { "description": "Parameters of the kind." },
            "inputs": inputs(),
            "matrix": {
                "description": "Axes with their values: the stage runs once per combination, and \
                                `${matrix.axis}` is its value.",
                "type": "object",
                "additionalProperties": or_reference(json!({
                    "type": "array",
                    "minItems": 1,
                    "items": { "type": ["string", "number", "boolean"] },
                })),
            },
            "timeout": {
                "description": "Time that one attempt may take, such as \"90s\", \"30m\" or \"1h30m\".",
                "type": "string",
            },
            "retries": or_reference(json!({
                "description": "Further attempts after a failure of the infrastructure.",
                "type": "integer",
                "minimum": 0,
                "default": 0,
            })),
            "cache": cache(),
            "when": {
                "description": "Whether the stage runs: a boolean, or a string such as \
                                `\"${params.mode} == full\"`. What needs a stage that does not run \
                                is left out too.",
                "type": ["boolean", "string"],
                "default": true,
            },
        },
        "allOf": by_kind.collect::<Vec<_>>(),
    })
}

fn inputs() -> Value {
    json!({
        "description": "What the stage reads: \"stage\" or \"stage.output\", or a list of them, whose \
                        tables are concatenated.",
        "type": "object",
        "additionalProperties": {
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } },
            ],
        },
    })
}

fn cache() -> Value {
    json!({
        "description": "Whether a stored result is good enough.",
        "default": "use",
        "anyOf": [
            { "enum": ["use", "off"] },
            { "type": "boolean" },
            {
                "type": "object",
                "additionalProperties": false,
                "required": ["max_age"],
                "properties": {
                    "max_age": { "description": "Such as \"7d\".", "type": "string" },
                },
            },
            { "$ref": REFERENCE },
        ],
    })
}

/// Adds the schema of a kind's `with`, and all that it refers to, under names of the kind's own.
fn define_kind(kind: &dyn StageKind, definitions: &mut Map<String, Value>) {
    let mut params = kind.params().to_value();
    let Some(root) = params.as_object_mut() else {
        return;
    };
    root.remove("$schema");
    let own = root.remove("$defs");
    root.insert("description".into(), json!(kind.about()));
    let mut define = |name: String, schema: Value| {
        definitions.insert(name, or_reference(relaxed(schema, kind.name())));
    };
    define(kind.name().to_owned(), params);
    if let Some(Value::Object(own)) = own {
        for (name, schema) in own {
            define(format!("{}.{name}", kind.name()), schema);
        }
    }
}

/// Lets a reference stand for every value inside a schema, and points its `$ref`s at the kind's
/// definitions.
fn relaxed(schema: Value, kind: &str) -> Value {
    let Value::Object(map) = schema else {
        return schema;
    };
    let entries = map
        .into_iter()
        .map(|(key, value)| match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                let relax = |(name, value)| (name, or_reference(relaxed(value, kind)));
                (
                    key,
                    Value::Object(properties.into_iter().map(relax).collect()),
                )
            }
            ("items" | "additionalProperties", value @ Value::Object(_)) => {
                (key, or_reference(relaxed(value, kind)))
            }
            ("prefixItems", Value::Array(items)) => {
                let items = items.into_iter();
                (
                    key,
                    items
                        .map(|item| or_reference(relaxed(item, kind)))
                        .collect(),
                )
            }
            // A reference in the place of a tag would match several branches of a `oneOf`.
            ("oneOf" | "anyOf", Value::Array(branches)) => {
                let branches = branches.into_iter();
                let branches = branches.map(|branch| relaxed(branch, kind)).collect();
                ("anyOf".to_owned(), branches)
            }
            ("allOf", Value::Array(parts)) => (
                key,
                parts.into_iter().map(|part| relaxed(part, kind)).collect(),
            ),
            ("$ref", Value::String(target)) => {
                let target = target.replace("#/$defs/", &format!("#/$defs/{kind}."));
                (key, Value::String(target))
            }
            (_, value) => (key, value),
        });
    Value::Object(entries.collect())
}

/// The same schema, or a reference; what editors show stays in front.
fn or_reference(schema: Value) -> Value {
    let Value::Object(mut inner) = schema else {
        return schema;
    };
    let is_free_text = inner.get("type") == Some(&json!("string"))
        && !["enum", "const", "pattern", "format"]
            .iter()
            .any(|key| inner.contains_key(*key));
    if is_free_text {
        return Value::Object(inner);
    }
    let mut outer = Map::new();
    for key in ["title", "description", "default"] {
        if let Some(value) = inner.shift_remove(key) {
            outer.insert(key.into(), value);
        }
    }
    outer.insert("anyOf".into(), json!([inner, { "$ref": REFERENCE }]));
    Value::Object(outer)
}
