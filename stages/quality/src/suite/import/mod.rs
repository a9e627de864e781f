//! The formats that suites come in.

mod bbh;
mod gsm8k;
mod humaneval;
mod ifeval;
mod json_schema;
mod qmsum;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Item;

/// Format of a suite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// One item a line, as sbt has them: `id`, `family`, `messages`, `reference`, `scorer`,
    /// `tags`, `max_tokens`.
    #[default]
    Items,
    /// GSM8K: lines with `question` and `answer`, which ends with `#### N`.
    Gsm8k,
    /// A task of BIG-Bench Hard: `{examples: [{input, target}]}`.
    Bbh,
    /// HumanEval: lines with `task_id`, `prompt`, `entry_point`, `canonical_solution`, `test`.
    Humaneval,
    /// IFEval: lines with `key`, `prompt`, `instruction_id_list`, `kwargs`.
    Ifeval,
    /// QMSum: lines with `meeting_transcripts` and lists of queries with their answers.
    Qmsum,
    /// Lines with `prompt` and `schema`, and maybe `id` and the `reference` whose fields count.
    JsonSchema,
}

/// Reads a file.
///
/// # Errors
/// With the line, and what is wrong with it.
pub(super) fn read(format: Format, text: &str) -> Result<Vec<Item>, String> {
    let items = match format {
        Format::Items => own(text),
        Format::Gsm8k => gsm8k::read(text),
        Format::Bbh => bbh::read(text),
        Format::Humaneval => humaneval::read(text),
        Format::Ifeval => ifeval::read(text),
        Format::Qmsum => qmsum::read(text),
        Format::JsonSchema => json_schema::read(text),
    }?;
    match items.is_empty() {
        true => Err("it has no items".to_owned()),
        false => Ok(items),
    }
}

/// Reads items as sbt has them.
pub(super) fn own(text: &str) -> Result<Vec<Item>, String> {
    lines(text, |_, item: Item| Ok(vec![item]))
}

/// Reads JSON lines, each of which becomes items.
fn lines<T: DeserializeOwned>(
    text: &str,
    items: impl Fn(usize, T) -> Result<Vec<Item>, String>,
) -> Result<Vec<Item>, String> {
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let read = serde_json::from_str(line).map_err(|error| error.to_string());
        let read = read.and_then(|line| items(index + 1, line));
        all.extend(read.map_err(|problem| format!("line {}: {problem}", index + 1))?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
