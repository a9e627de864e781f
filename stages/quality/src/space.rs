use std::collections::BTreeMap;

use sbt_engine::ParamError;
use sbt_trials::{Config, Knob, KnobKind, ServerSpec};
use serde_json::{Map, Value};

/// Every variant that a space reaches: all combinations of the knobs that can change answers and
/// are a choice or a switch; and that of the reference, which is `{}` when there is none.
///
/// # Errors
/// With every value that the server does not take, at its place below `path`.
pub(crate) fn variants(
    server: &ServerSpec,
    space: &Map<String, Value>,
    path: &str,
    reference: Option<&Config>,
) -> Result<BTreeMap<String, Config>, Vec<ParamError>> {
    let mut configs = vec![BTreeMap::<String, Knob>::new()];
    let mut problems = Vec::new();
    for (name, dimension) in space {
        let Some(knob) = server.knobs.get(name).filter(|knob| knob.quality) else {
            continue;
        };
        let values = match values(&knob.kind, dimension) {
            Ok(values) => values,
            Err(message) => {
                problems.push(ParamError::at(&[path, name], message));
                continue;
            }
        };
        let wrong = values.iter().filter_map(|v| server.check(name, v).err());
        problems.extend(wrong.map(|error| ParamError {
            path: vec![path.to_owned(), name.clone()],
            ..error
        }));
        configs = configs
            .iter()
            .flat_map(|config| with_each(config, name, &values))
            .collect();
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let configs = configs.into_iter().map(|knobs| Config {
        name: String::new(),
        knobs,
    });
    let unset = Config {
        name: String::new(),
        knobs: BTreeMap::new(),
    };
    let reference = reference.unwrap_or(&unset).clone();
    let variants = configs.chain([reference]).map(|config| {
        let variant = server.variant(&config);
        let read = Config::from_json("", &variant).expect("a variant is JSON of knobs");
        (variant, read)
    });
    Ok(variants.collect())
}

fn with_each(
    config: &BTreeMap<String, Knob>,
    name: &str,
    values: &[Knob],
) -> Vec<BTreeMap<String, Knob>> {
    let extended = values.iter().map(|value| {
        let mut config = config.clone();
        config.insert(name.to_owned(), value.clone());
        config
    });
    extended.collect()
}

/// The values of a dimension: a list, a table with a list in it, a single value, or a switch.
/// Numeric knobs have no variants.
fn values(kind: &KnobKind, dimension: &Value) -> Result<Vec<Knob>, String> {
    let listed = match dimension {
        Value::Array(values) => Some(values),
        Value::Object(table) => table.values().find_map(Value::as_array),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    if let Some(values) = listed {
        return values.iter().map(knob).collect();
    }
    match (kind, dimension) {
        (KnobKind::Int { .. } | KnobKind::Float { .. }, _) => Ok(Vec::new()),
        (KnobKind::Bool, Value::Bool(value)) => Ok(vec![Knob::Bool(*value)]),
        (KnobKind::Bool, _) => Ok(vec![Knob::Bool(false), Knob::Bool(true)]),
        (KnobKind::Choice(_) | KnobKind::Text, Value::String(value)) => {
            Ok(vec![Knob::Text(value.clone())])
        }
        (KnobKind::Choice(_) | KnobKind::Text, _) => {
            Err(format!("expected a list of values: {kind}"))
        }
    }
}

fn knob(value: &Value) -> Result<Knob, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(space: &Value) -> Result<Vec<String>, Vec<ParamError>> {
        let server = ServerSpec::named("vllm").unwrap();
        let found = variants(server, space.as_object().unwrap(), "space", None);
        found.map(|variants| variants.into_keys().collect())
    }

    #[test]
    fn variants_are_all_combinations_of_what_can_change_answers() {
        let space = json!({
            "max_num_seqs": { "int": [16, 256] },
            "quantization": { "choice": ["none", "fp8"] },
            "kv_cache_dtype": ["auto", "fp8"],
        });
        let expected = [
            r#"{"kv_cache_dtype":"fp8","quantization":"fp8"}"#,
            r#"{"kv_cache_dtype":"fp8"}"#,
            r#"{"quantization":"fp8"}"#,
            "{}",
        ];
        assert_eq!(of(&space).unwrap(), expected);
    }

    #[test]
    fn reference_is_there_even_when_the_space_leaves_it_out() {
        assert_eq!(of(&json!({})).unwrap(), ["{}"]);
        let fixed = of(&json!({ "quantization": "fp8" })).unwrap();
        assert_eq!(fixed, [r#"{"quantization":"fp8"}"#, "{}"]);
    }

    #[test]
    fn values_that_the_server_does_not_take_are_reported_where_they_stand() {
        let errors = of(&json!({ "quantization": ["fp9"], "kv_cache_dtype": 3 })).unwrap_err();
        let paths: Vec<String> = errors.iter().map(|e| e.path.join(".")).collect();
        assert_eq!(paths, ["space.quantization", "space.kv_cache_dtype"]);
        assert_eq!(errors[0].help.as_deref(), Some("did you mean `fp8`?"));
    }
}
