use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::import::{self, Format};
use super::{Family, Item, Message, Role, draw, shipped, shuffled};

/// Where questions come from, how many, and how they are put.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SuiteSpec {
    /// A suite that comes with sbt: `qa`, `structured`, `code`, `summary` or `instruction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shipped: Option<Family>,
    /// A suite of your own instead: a file, which may be compressed with gzip.
    #[serde(skip_serializing)]
    pub(crate) path: String,
    /// Where to fetch it instead; with `sha256`.
    pub(crate) url: String,
    /// SHA-256 that the fetched bytes must have, as 64 hex digits.
    pub(crate) sha256: String,
    /// Format of the file.
    pub(crate) format: Format,
    /// Items to draw, with the shares of families and tags kept; 0 is all.
    pub(crate) sample: u64,
    /// Demonstrations before each question: items with the tag `example`, else others that are
    /// then not asked.
    pub(crate) few_shot: u64,
    /// System message before it all; empty for none.
    pub(crate) system: String,
    /// Most tokens of an answer, instead of the suite's; 0 leaves them.
    pub(crate) max_tokens: u64,
}

impl SuiteSpec {
    /// A suite that comes with sbt, put as it is meant.
    pub(crate) fn shipped(family: Family) -> Self {
        Self {
            shipped: Some(family),
            few_shot: 4,
            ..Self::default()
        }
    }

    /// What is wrong, by key.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let sources = [
            self.shipped.is_some(),
            !self.path.is_empty(),
            !self.url.is_empty(),
        ];
        let given = sources.iter().filter(|given| **given).count();
        let mut problems = Vec::new();
        if given != 1 {
            let message = "expected one of `shipped`, `path` and `url`".to_owned();
            problems.push(("shipped", message));
        }
        let digits = self.sha256.len() == 64 && self.sha256.bytes().all(|b| b.is_ascii_hexdigit());
        if !self.url.is_empty() && !digits {
            let message =
                "a suite that is fetched needs the SHA-256 of its bytes, as 64 hex digits";
            problems.push(("sha256", message.to_owned()));
        }
        problems
    }

    /// What it is called in the names of its items.
    pub(crate) fn name(&self) -> &str {
        let source = match self.shipped {
            Some(family) => return family.word(),
            None if self.path.is_empty() => &self.url,
            None => &self.path,
        };
        let file = source.rsplit('/').next().unwrap_or(source);
        file.split('.').next().unwrap_or(file)
    }
}

/// The items that are asked, in the order of the file; ids begin with `name`. `file` is the
/// content of the file, of a suite that has one.
///
/// # Errors
/// When the file is not what its format says.
pub(crate) fn load(
    spec: &SuiteSpec,
    name: &str,
    file: Option<&str>,
    seed: u64,
) -> Result<Vec<Item>, String> {
    let items = match (spec.shipped, file) {
        (Some(family), _) => shipped::items(family),
        (None, Some(text)) => import::read(spec.format, text)?,
        (None, None) => Vec::new(),
    };
    let (examples, questions) = demonstrations(items, spec.few_shot, seed);
    let mut questions = draw(questions, spec.sample, seed);
    let mut before = Vec::new();
    if !spec.system.is_empty() {
        before.push(Message::new(Role::System, spec.system.clone()));
    }
    for example in examples {
        before.extend(example.messages);
        before.push(Message::new(
            Role::Assistant,
            example.reference.unwrap_or_default(),
        ));
    }
    for item in &mut questions {
        item.messages.splice(0..0, before.iter().cloned());
        if !name.is_empty() {
            item.id = format!("{name}/{}", item.id);
        }
        if spec.max_tokens > 0 {
            item.max_tokens = spec.max_tokens;
        }
    }
    Ok(questions)
}

/// Takes the items that show how to answer from those that are asked.
fn demonstrations(items: Vec<Item>, count: u64, seed: u64) -> (Vec<Item>, Vec<Item>) {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let (mut examples, mut questions): (Vec<Item>, Vec<Item>) =
        items.into_iter().partition(Item::is_example);
    if examples.is_empty() && count > 0 {
        let with_answer =
            (0..questions.len()).filter(|place| questions[*place].reference.is_some());
        let mut chosen: Vec<usize> = shuffled(with_answer.collect(), seed);
        chosen.truncate(count);
        chosen.sort_unstable();
        for place in chosen.into_iter().rev() {
            examples.insert(0, questions.remove(place));
        }
    }
    examples.truncate(count);
    (examples, questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demonstrations_precede_and_are_not_asked() {
        let items = load(&SuiteSpec::shipped(Family::Qa), "qa", None, 0).unwrap();
        let first = &items[0];
        assert_eq!(first.messages.len(), 9);
        assert_eq!(first.messages[1].role, Role::Assistant);
        assert!(items.iter().all(|item| !item.is_example()));
        assert!(first.id.starts_with("qa/"));
    }

    #[test]
    fn without_marked_examples_some_items_give_themselves_up() {
        let line = |i: u32| format!(r#"{{"question": "{i}?", "answer": "so #### {i}"}}"#);
        let text: Vec<String> = (0..10).map(line).collect();
        let spec = SuiteSpec {
            path: "own/sums.jsonl".to_owned(),
            format: Format::Gsm8k,
            few_shot: 2,
            system: "Be brief.".to_owned(),
            ..SuiteSpec::default()
        };
        let items = load(&spec, spec.name(), Some(&text.join("\n")), 7).unwrap();
        assert_eq!(items.len(), 8);
        let roles: Vec<Role> = items[0].messages.iter().map(|m| m.role).collect();
        use Role::{Assistant, System, User};
        assert_eq!(roles, [System, User, Assistant, User, Assistant, User]);
        assert!(items[0].id.starts_with("sums/gsm8k-"), "{}", items[0].id);
    }
}
