//! The JSON document in an answer: found, read, checked.

use serde_json::{Deserializer, Value};

use crate::{NotScored, Score};

/// How many openings of an object or array are tried. Chosen: bounds the time on an answer that
/// consists of them.
const ATTEMPTS: usize = 256;

pub(crate) fn score(
    answer: &str,
    reference: Option<&str>,
    schema: &Value,
    fields: &[String],
) -> Result<Score, NotScored> {
    let validator =
        jsonschema::validator_for(schema).map_err(|error| NotScored::Schema(error.to_string()))?;
    let wanted = match (reference, fields) {
        (_, []) => Value::Null,
        (None, _) => return Err(NotScored::NoReference),
        (Some(text), _) => serde_json::from_str(text)
            .map_err(|error| NotScored::Reference(format!("JSON: {error}")))?,
    };
    let Some(found) = find(answer) else {
        return Ok(Score::of(false).because("no JSON"));
    };
    if let Err(error) = validator.validate(&found) {
        return Ok(Score::of(false).because(format!(
            "at {:?}: {error}",
            error.instance_path().to_string()
        )));
    }
    Ok(compare(&found, &wanted, fields))
}

fn compare(found: &Value, wanted: &Value, fields: &[String]) -> Score {
    let differing: Vec<&str> = fields
        .iter()
        .filter(|field| !same(found.pointer(field), wanted.pointer(field)))
        .map(String::as_str)
        .collect();
    if differing.is_empty() {
        return Score::of(true);
    }
    Score {
        value: (fields.len() - differing.len()) as f64 / fields.len() as f64,
        detail: Some(format!("differs at {}", differing.join(", "))),
    }
}

/// A number is the same however it is written.
fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => a == b || a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

/// The whole answer, else the longest object or array that stands in it: in a code fence or in
/// prose.
fn find(answer: &str) -> Option<Value> {
    if let Ok(whole) = serde_json::from_str(answer) {
        return Some(whole);
    }
    let mut longest: Option<(usize, Value)> = None;
    let mut at = 0;
    for _ in 0..ATTEMPTS {
        let Some(start) = answer[at..].find(['{', '[']).map(|offset| at + offset) else {
            break;
        };
        let mut documents = Deserializer::from_str(&answer[start..]).into_iter::<Value>();
        let Some(Ok(document)) = documents.next() else {
            at = start + 1;
            continue;
        };
        let length = documents.byte_offset();
        if longest.as_ref().is_none_or(|(most, _)| length > *most) {
            longest = Some((length, document));
        }
        at = start + length;
    }
    longest.map(|(_, document)| document)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::find;

    #[test]
    fn document_is_found_in_prose_and_fences() {
        let document = json!({"a": [1, {"b": "}"}]});
        let text = document.to_string();
        for answer in [
            text.clone(),
            format!("```json\n{text}\n```"),
            format!("Here [1] it is: {text}. Anything else?"),
            format!("{{not json}} {text} [2]"),
        ] {
            assert_eq!(find(&answer), Some(document.clone()), "{answer}");
        }
        assert_eq!(find("nothing { here [ at all"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        assert_eq!(find(&"[".repeat(100_000)), None);
    }
}
