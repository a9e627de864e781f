use sbt_scorers::Scorer;
use serde::Deserialize;

use crate::suite::{Family, Item, Message, Role};

#[derive(Deserialize)]
struct Line {
    task_id: String,
    prompt: String,
    entry_point: String,
    canonical_solution: String,
    test: String,
}

/// Functions to complete, with their tests.
pub(super) fn read(text: &str) -> Result<Vec<Item>, String> {
    super::lines(text, |_, line: Line| {
        let ask = format!(
            "Complete this Python function. Answer with the whole function in a code block.\n\n\
             ```python\n{}```",
            line.prompt
        );
        let solution = format!("```python\n{}{}```", line.prompt, line.canonical_solution);
        Ok(vec![Item {
            id: line.task_id,
            family: Family::Code,
            messages: vec![Message::new(Role::User, ask)],
            reference: Some(solution),
            scorer: Scorer::Code {
                prompt: line.prompt,
                tests: line.test,
                entry_point: line.entry_point,
            },
            tags: vec!["humaneval".to_owned()],
            max_tokens: 512,
        }])
    })
}
