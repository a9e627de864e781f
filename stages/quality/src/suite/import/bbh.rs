use sbt_scorers::{Compare, Scorer};
use serde::Deserialize;

use crate::suite::{Family, Item, Message, Role};

#[derive(Deserialize)]
struct Task {
    examples: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    input: String,
    target: String,
}

/// Questions with one right answer: a letter where the targets are, else words.
pub(super) fn read(text: &str) -> Result<Vec<Item>, String> {
    let task: Task = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let letters = task.examples.iter().filter_map(|e| letter(&e.target));
    let last = letters.max().unwrap_or('A');
    let letters: String = ('A'..=last).collect();
    let examples = task.examples.into_iter().enumerate();
    let items = examples.map(|(index, example)| Item {
        id: format!("bbh-{:04}", index + 1),
        family: Family::Qa,
        scorer: scorer(&example.target, &letters),
        messages: vec![Message::new(Role::User, example.input)],
        reference: Some(example.target),
        tags: vec!["bbh".to_owned()],
        max_tokens: 32,
    });
    Ok(items.collect())
}

fn scorer(target: &str, letters: &str) -> Scorer {
    if letter(target).is_some() {
        return Scorer::Choice {
            letters: letters.to_owned(),
        };
    }
    // an answer of brackets is nothing but punctuation
    let has_words = target.chars().any(char::is_alphanumeric);
    Scorer::ExactMatch {
        compare: match has_words {
            true => Compare::Squad,
            false => Compare::Verbatim,
        },
        answer_is: true,
    }
}

/// Of `(A)` and the like.
fn letter(target: &str) -> Option<char> {
    let inner = target.strip_prefix('(')?.strip_suffix(')')?;
    let mut letters = inner.chars();
    let letter = letters.next().filter(char::is_ascii_uppercase)?;
    letters.next().is_none().then_some(letter)
}
