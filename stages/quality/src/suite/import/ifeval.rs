use sbt_scorers::{Instruction, Scorer, Strictness};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::suite::{Family, Item, Message, Role};

#[derive(Deserialize)]
struct Line {
    key: u64,
    prompt: String,
    instruction_id_list: Vec<String>,
    kwargs: Vec<Map<String, Value>>,
}

/// Instructions whose keeping can be checked; the first one's group is the tag.
pub(super) fn read(text: &str) -> Result<Vec<Item>, String> {
    super::lines(text, |_, line: Line| {
        let (ids, kwargs) = (&line.instruction_id_list, line.kwargs);
        if ids.len() != kwargs.len() || ids.is_empty() {
            let (ids, kwargs) = (ids.len(), kwargs.len());
            return Err(format!("{ids} instructions and {kwargs} `kwargs`"));
        }
        let group = ids[0].split(':').next().unwrap_or_default().to_owned();
        let instructions: Vec<Instruction> = ids
            .iter()
            .zip(kwargs)
            .map(|(id, kwargs)| Instruction::from_ifeval(id, &kwargs))
            .collect::<Result<_, _>>()?;
        Ok(vec![Item {
            id: format!("ifeval-{}", line.key),
            family: Family::Instruction,
            messages: vec![Message::new(Role::User, line.prompt)],
            reference: None,
            scorer: Scorer::Ifeval {
                instructions,
                strictness: Strictness::default(),
            },
            tags: vec![group],
            max_tokens: 512,
        }])
    })
}
