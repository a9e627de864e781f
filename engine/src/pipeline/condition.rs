use serde_json::Value;

/// What `when` says, after its references are resolved: a boolean, or a string `true`, `false`,
/// `A == B` or `A != B`.
pub(crate) fn holds(when: &Value) -> Result<bool, String> {
    let text = match when {
        Value::Bool(holds) => return Ok(*holds),
        Value::String(text) => text.trim(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Err(expected(&when.to_string()));
        }
    };
    match text {
        "true" => return Ok(true),
        "false" => return Ok(false),
        _ => {}
    }
    let sides = |operator| {
        let (left, right) = text.split_once(operator)?;
        Some(operand(left)? == operand(right)?)
    };
    match (sides("=="), sides("!=")) {
        (Some(equal), None) => Ok(equal),
        (None, Some(equal)) => Ok(!equal),
        (Some(_), Some(_)) | (None, None) => Err(expected(text)),
    }
}

/// A plain word or a quoted text; none for anything that looks like more.
fn operand(text: &str) -> Option<&str> {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            return inner
                .strip_suffix(quote)
                .filter(|inner| !inner.contains(quote));
        }
    }
    let is_word = !text.is_empty() && !text.contains(|c: char| "=!<>&|()\"'".contains(c));
    is_word.then_some(text)
}

fn expected(found: &str) -> String {
    format!("`when` must be true, false, `A == B` or `A != B`, found `{found}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_compare_words_and_quoted_texts() {
        for (when, expected) in [
            (json!(true), true),
            (json!("false"), false),
            (json!("tpe == tpe"), true),
            (json!("tpe != \"random\""), true),
            (json!("0.5 == 0.50"), false),
        ] {
            assert_eq!(holds(&when), Ok(expected), "{when}");
        }
    }

    #[test]
    fn conditions_of_another_form_are_refused() {
        for when in [
            json!(1),
            json!("a"),
            json!("a && b"),
            json!("a == b == c"),
            json!("== b"),
        ] {
            assert!(holds(&when).is_err(), "{when}");
        }
    }
}
