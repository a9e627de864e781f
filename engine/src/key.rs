use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{Digest, PlannedStage};

/// Everything that a stage's result depends on. Not in it: paths, descriptions, retries, time
/// limits, jobs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct StageKey<'a> {
    kind: &'a str,
    params: Value,
    inputs: BTreeMap<&'a str, Vec<KeyInput>>,
    files: BTreeMap<&'a str, Digest>,
    env: &'a BTreeMap<String, Option<String>>,
    identity: BTreeMap<String, String>,
    revision: u32,
}

/// One wire: what came over it, and the axes that become columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct KeyInput {
    pub(crate) digest: Digest,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) axes: BTreeMap<String, Value>,
}

/// Domain of stage keys; a change of [`StageKey`] needs a new one.
const DOMAIN: &str = "sbt-stage-v1";

impl<'a> StageKey<'a> {
    pub(crate) fn new(
        stage: &'a PlannedStage,
        inputs: BTreeMap<&'a str, Vec<KeyInput>>,
        files: BTreeMap<&'a str, Digest>,
    ) -> Self {
        Self {
            kind: stage.kind.name(),
            params: stage.key_params(),
            inputs,
            files,
            env: &stage.env,
            identity: stage.stage.identity(),
            revision: stage.kind.revision(),
        }
    }

    /// What the key is made of, to be kept beside the result.
    pub(crate) fn components(&self) -> Value {
        serde_json::to_value(self).expect("a key is JSON")
    }
}

/// The key of some components.
pub(crate) fn key_of(components: &Value) -> Digest {
    Digest::of_value(DOMAIN, components)
}

/// A component that differs between two keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Dotted path of the component.
    pub component: String,
    /// Before; null when it was not there.
    pub before: Value,
    /// After; null when it is gone.
    pub after: Value,
}

/// The components that differ, leaf by leaf.
pub(crate) fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    let step = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let (a, b) = (a.get(key), b.get(key));
                let null = Value::Null;
                compare(&step(key), a.unwrap_or(&null), b.unwrap_or(&null), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&step(&i.to_string()), a, b, found);
            }
        }
        _ if before != after => found.push(Difference {
            component: path.to_owned(),
            before: before.clone(),
            after: after.clone(),
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn key_ignores_order_and_spelling_of_numbers() {
        let a = json!({"kind": "k", "params": {"x": 1.0, "y": [1, 2]}});
        let b = json!({"params": {"y": [1.0, 2], "x": 1}, "kind": "k"});
        assert_eq!(key_of(&a), key_of(&b));
    }

    #[test]
    fn key_of_known_components_stays_the_same() {
        let components = json!({"kind": "k", "params": {"x": 0.5}, "revision": 1});
        assert_eq!(
            key_of(&components).to_string(),
            Digest::of(b"sbt-stage-v1\n{\"kind\":\"k\",\"params\":{\"x\":0.5},\"revision\":1}")
                .to_string()
        );
    }

    #[test]
    fn differences_name_the_leaf() {
        let before = json!({"params": {"seed": 1, "n": [1, 2]}});
        let after = json!({"params": {"seed": 2, "n": [1, 2], "new": true}});
        let found = differences(&before, &after);
        let names: Vec<_> = found.iter().map(|d| d.component.as_str()).collect();
        assert_eq!(names, ["params.new", "params.seed"]);
    }
}
