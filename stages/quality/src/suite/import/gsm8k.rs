use sbt_scorers::Scorer;
use serde::Deserialize;

use crate::suite::{Family, Item, Message, Role};

#[derive(Deserialize)]
struct Line {
    question: String,
    answer: String,
}

/// Sums in words; the reference is the worked answer, which demonstrations show.
pub(super) fn read(text: &str) -> Result<Vec<Item>, String> {
    super::lines(text, |number, line: Line| {
        if !line.answer.contains("####") {
            return Err("`answer` has no `####` before its number".to_owned());
        }
        Ok(vec![Item {
            id: format!("gsm8k-{number:04}"),
            family: Family::Qa,
            messages: vec![Message::new(Role::User, line.question)],
            reference: Some(line.answer),
            scorer: Scorer::Number {},
            tags: vec!["gsm8k".to_owned()],
            max_tokens: 320,
        }])
    })
}
