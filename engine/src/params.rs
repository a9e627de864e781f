//! Typed parameters, with every error told at once.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Something wrong with `with`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamError {
    /// Keys and indices that lead to the value, from `with` down.
    pub path: Vec<String>,
    /// What is wrong, as a sentence fragment.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ParamError {
    /// An error at a path such as `["arrival", "rate_rps"]`.
    #[must_use]
    pub fn at(path: &[&str], message: impl Into<String>) -> Self {
        Self {
            path: path.iter().map(|&s| s.to_owned()).collect(),
            message: message.into(),
            help: None,
        }
    }

    /// The same, of a value that stands under `key`.
    #[must_use]
    pub fn under(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Reads typed parameters and reports every error: each offending value is noted, taken out, and
/// the rest read again.
///
/// # Errors
/// With all errors found.
pub fn parse_params<P: DeserializeOwned>(with: &Value) -> Result<P, Vec<ParamError>> {
    let mut rest = with.clone();
    let mut errors: Vec<ParamError> = Vec::new();
    loop {
        match serde_path_to_error::deserialize::<_, P>(&rest) {
            Ok(params) if errors.is_empty() => return Ok(params),
            Ok(_) => return Err(errors),
            Err(error) => {
                let found = locate(&error);
                let follows_from_removal = errors
                    .iter()
                    .any(|e| error.inner().to_string() == missing_field_message(e));
                if !follows_from_removal {
                    errors.push(found.clone());
                }
                if !remove(&mut rest, &found.path) {
                    return Err(errors);
                }
            }
        }
    }
}

fn missing_field_message(removed: &ParamError) -> String {
    let name = removed.path.last().map_or("", String::as_str);
    format!("missing field `{name}`")
}

fn locate(error: &serde_path_to_error::Error<serde_json::Error>) -> ParamError {
    use serde_path_to_error::Segment;
    let mut path: Vec<String> = error
        .path()
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        })
        .collect();
    let message = error.inner().to_string();
    if let Some(name) = quoted_after(&message, "unknown field `")
        && path.last().map(String::as_str) != Some(name)
    {
        path.push(name.to_owned());
    }
    ParamError {
        path,
        help: nearest_expected(&message),
        message,
    }
}

fn quoted_after<'a>(message: &'a str, lead: &str) -> Option<&'a str> {
    let rest = &message[message.find(lead)? + lead.len()..];
    rest.split('`').next()
}

/// The nearest of the names that serde's message lists.
fn nearest_expected(message: &str) -> Option<String> {
    let (found, expected) = message.split_once(", expected ")?;
    let found = found.split('`').nth(1)?;
    let names = expected.split('`').skip(1).step_by(2);
    nearest_name(found, names).map(|name| format!("did you mean `{name}`?"))
}

/// The most similar of some names, if any is similar at all.
#[must_use]
pub fn nearest_name<'a>(found: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Chosen: lets one slip in five letters through, and no unrelated word.
    const SIMILAR: f64 = 0.75;
    names
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

fn remove(value: &mut Value, path: &[String]) -> bool {
    let Some((last, parents)) = path.split_last() else {
        return false;
    };
    let mut place = value;
    for key in parents {
        let next = match place {
            Value::Object(map) => map.get_mut(key),
            Value::Array(items) => key.parse::<usize>().ok().and_then(|i| items.get_mut(i)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        };
        let Some(next) = next else { return false };
        place = next;
    }
    match place {
        Value::Object(map) => map.shift_remove(last).is_some(),
        Value::Array(items) => match last.parse::<usize>() {
            Ok(index) if index < items.len() => {
                items.remove(index);
                true
            }
            _ => false,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
