use sbt_scorers::{Rouge, Scorer};
use serde::Deserialize;

use crate::suite::{Family, Item, Message, Role};

#[derive(Deserialize)]
struct Line {
    meeting_transcripts: Vec<Turn>,
    #[serde(default)]
    general_query_list: Vec<Query>,
    #[serde(default)]
    specific_query_list: Vec<Query>,
}

#[derive(Deserialize)]
struct Turn {
    speaker: String,
    content: String,
}

#[derive(Deserialize)]
struct Query {
    query: String,
    answer: String,
}

/// Meetings with what somebody asks of them: about 10,000 tokens each.
pub(super) fn read(text: &str) -> Result<Vec<Item>, String> {
    super::lines(text, |number, line: Line| {
        let turns = line.meeting_transcripts.iter();
        let turns = turns.map(|turn| format!("{}: {}", turn.speaker, turn.content));
        let transcript = turns.collect::<Vec<_>>().join("\n");
        let general = line.general_query_list.into_iter().map(|q| ("general", q));
        let specific = line
            .specific_query_list
            .into_iter()
            .map(|q| ("specific", q));
        let queries = general.chain(specific).enumerate();
        let items = queries.map(|(place, (tag, query))| Item {
            id: format!("qmsum-{number:03}-{:02}", place + 1),
            family: Family::Summary,
            messages: vec![Message::new(
                Role::User,
                format!("{transcript}\n\n{}", query.query),
            )],
            reference: Some(query.answer),
            scorer: Scorer::Rouge { measure: Rouge::L },
            tags: vec![tag.to_owned()],
            max_tokens: 256,
        });
        Ok(items.collect())
    })
}
