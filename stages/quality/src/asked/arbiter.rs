use std::collections::BTreeMap;
use std::sync::Mutex;

use sbt_engine::{StageContext, StageError};
use sbt_scorers::Scorer;
use sbt_trials::{Asking, Backend, Config};
use serde_json::{Map, json};

use super::answer::Manner;
use super::asker::{Addressee, Asker, Unavailable};
use super::trial::Response;
use crate::params::{JudgeModel, Params};
use crate::suite::{Family, Item, Message, Role};

/// Tokens that a letter may take.
const REPLY_TOKENS: u64 = 8;

/// A model that says which of two answers is better; each pair is shown twice, the other way round
/// the second time, since models prefer a place.
pub(super) struct Arbiter<'a> {
    judge: &'a JudgeModel,
    asker: Asker<'a>,
}

impl<'a> Arbiter<'a> {
    pub(super) fn new(
        ctx: &'a StageContext,
        judge: &'a JudgeModel,
        params: &Params,
    ) -> Result<Self, StageError> {
        let backend = Backend::Endpoint(judge.endpoint());
        Ok(Self {
            judge,
            asker: Asker {
                ctx,
                asking: Asking::new(ctx, &backend)?,
                manner: Manner {
                    top_logprobs: 0,
                    request: Map::new(),
                    seed: params.seed,
                },
                concurrency: params.concurrency(),
                limit: params.timeout(),
                fresh: Mutex::default(),
            },
        })
    }

    pub(super) fn judges(&self, family: Family) -> bool {
        self.judge.families.contains(&family)
    }

    /// Scores of variants against the reference's answers: 1 is better both ways, 0 worse both
    /// ways, 0.5 neither, and between where the ways differ.
    ///
    /// # Errors
    /// When the judge does not answer.
    pub(super) fn scores(&self, pairs: &[(&Response, &Response)]) -> Result<Vec<f64>, StageError> {
        let differs = |(reference, variant): &&(&Response, &Response)| {
            reference.answer.text != variant.answer.text
        };
        let questions = pairs
            .iter()
            .filter(differs)
            .flat_map(|(reference, variant)| {
                let (r, v) = (&reference.answer.text, &variant.answer.text);
                [question(&variant.item, r, v), question(&variant.item, v, r)]
            });
        let questions: Vec<Item> = questions.collect();
        let questions: Vec<&Item> = questions.iter().collect();
        let config = Config {
            name: "judge".to_owned(),
            knobs: BTreeMap::new(),
        };
        let to = Addressee {
            config: &config,
            name: "the judge",
            identity: json!({ "url": self.judge.url, "model": self.judge.model }),
            time: 0,
        };
        let answers = match self.asker.answers(&to, &questions)? {
            Ok(answers) => answers,
            Err(Unavailable(why)) => {
                return Err(StageError::user(format!(
                    "the judge cannot be asked: {why}"
                )));
            }
        };
        // the variant's answer is B, then A
        let mut judged = answers.chunks(2).map(|both| {
            let (first, swapped) = (second_wins(&both[0].text), second_wins(&both[1].text));
            f64::midpoint(first, 1.0 - swapped)
        });
        let mut score = |pair| match differs(&pair) {
            true => judged.next().unwrap_or(0.5),
            false => 0.5,
        };
        Ok(pairs.iter().map(&mut score).collect())
    }
}

fn question(item: &Item, a: &str, b: &str) -> Item {
    let asked = item.messages.last().map_or("", |message| &message.content);
    let reference = item.reference.as_ref();
    let reference = reference.map(|text| format!("A good answer:\n{text}\n\n"));
    let text = format!(
        "Which of two answers to a task is better? Judge by how right and how complete they are, \
         not by length or style. Reply with one letter: A, B, or T for a tie.\n\n\
         Task:\n{asked}\n\n{}Answer A:\n{a}\n\nAnswer B:\n{b}\n\nThe better answer is:",
        reference.unwrap_or_default()
    );
    Item {
        id: item.id.clone(),
        family: item.family,
        messages: vec![Message::new(Role::User, text)],
        reference: None,
        scorer: Scorer::F1 {},
        tags: Vec::new(),
        max_tokens: REPLY_TOKENS,
    }
}

/// 1 when B is better, 0 when A is; 0.5 for a tie, and for a reply that is neither.
fn second_wins(reply: &str) -> f64 {
    let mut words = reply.split(|c: char| !c.is_ascii_alphanumeric());
    let letter = words.rfind(|word| word.len() == 1);
    match letter {
        Some("A" | "a") => 0.0,
        Some("B" | "b") => 1.0,
        _ => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_is_found_in_a_reply() {
        assert_eq!(second_wins("B"), 1.0);
        assert_eq!(second_wins("(A)."), 0.0);
        assert_eq!(second_wins("The better answer is B."), 1.0);
        assert_eq!(second_wins("T"), 0.5);
        assert_eq!(second_wins("Both are good"), 0.5);
    }
}
