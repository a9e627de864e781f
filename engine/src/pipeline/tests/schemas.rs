use serde_json::{Value, json};

use super::fakes::REGISTRY;
use crate::pipeline_schema;

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_reference_of_the_schema_leads_somewhere() {
    let schema = pipeline_schema(REGISTRY);
    let mut found = Vec::new();
    references(&schema, &mut found);
    assert!(found.contains(&"#/$defs/search.Backend"), "{found:?}");
    for reference in found {
        assert!(schema.pointer(&reference[1..]).is_some(), "{reference}");
    }
}

#[test]
fn each_kind_has_its_parameters_under_with() {
    let schema = pipeline_schema(REGISTRY);
    let cases = schema["$defs"]["stage"]["allOf"].as_array().unwrap();
    assert_eq!(cases.len(), REGISTRY.len());
    assert_eq!(cases[2]["if"]["properties"]["uses"]["const"], "search");
    assert_eq!(
        cases[2]["then"]["properties"]["with"]["$ref"],
        "#/$defs/search"
    );
}

#[test]
fn a_value_may_be_a_reference_and_keeps_its_description() {
    let schema = pipeline_schema(REGISTRY);
    let budget = &schema["$defs"]["search"]["anyOf"][0]["properties"]["budget"];
    assert_eq!(budget["description"], "Trials that it may run.");
    assert_eq!(budget["anyOf"][1], json!({ "$ref": "#/$defs/reference" }));
    assert_eq!(budget["anyOf"][0]["minimum"], 0);
    let label = &schema["$defs"]["source"]["anyOf"][0]["properties"]["label"];
    assert_eq!(label["type"], "string");
}
