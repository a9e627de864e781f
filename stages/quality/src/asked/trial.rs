use std::collections::BTreeMap;

use sbt_engine::StageError;

use super::answer::Answer;
use super::asker::{Addressee, Asker, Unavailable};
use super::reading::Questions;
use crate::score::{Scored, Scoring};
use crate::suite::{Family, Item, shuffled};

/// An item with what came of asking it.
pub(super) struct Response {
    pub(super) item: Item,
    pub(super) answer: Answer,
    pub(super) scored: Scored,
    /// The reference's score where both were compared with each other, not each with a rule.
    pub(super) against: Option<f64>,
}

/// What one addressee answered: of each family the first items of the questions, in their order.
#[derive(Default)]
pub(super) struct Trial {
    pub(super) responses: BTreeMap<Family, Vec<Response>>,
    /// Why it answered no further.
    pub(super) unavailable: Option<String>,
}

impl Trial {
    /// Asks the reference everything; in the order of another seed where one is given.
    ///
    /// # Errors
    /// When it is not to be had.
    pub(super) fn of_reference(
        asker: &Asker<'_>,
        to: &Addressee<'_>,
        questions: &Questions,
        scoring: &Scoring,
        order: Option<u64>,
    ) -> Result<Self, StageError> {
        let items = questions.families.iter().flat_map(|(_, items)| items);
        let items: Vec<&Item> = items.collect();
        let mut order: Vec<usize> = match order {
            Some(seed) => shuffled((0..items.len()).collect(), seed),
            None => (0..items.len()).collect(),
        };
        let asked: Vec<&Item> = order.iter().map(|place| items[*place]).collect();
        let answers = match asker.answers(to, &asked)? {
            Ok(answers) => answers,
            Err(Unavailable(why)) => {
                let message = format!("the reference cannot be asked: {why}");
                return Err(StageError::user(message));
            }
        };
        let mut answers: Vec<(usize, Answer)> = order.drain(..).zip(answers).collect();
        answers.sort_by_key(|(place, _)| *place);
        let mut trial = Self::default();
        let answers = answers.into_iter().map(|(_, answer)| answer).collect();
        trial.add(&items, answers, scoring)?;
        Ok(trial)
    }

    /// Asks for some items more; whether they were answered.
    pub(super) fn ask(
        &mut self,
        asker: &Asker<'_>,
        to: &Addressee<'_>,
        items: &[Item],
        scoring: &Scoring,
    ) -> Result<bool, StageError> {
        let items: Vec<&Item> = items.iter().collect();
        match asker.answers(to, &items)? {
            Ok(answers) => self.add(&items, answers, scoring)?,
            Err(Unavailable(why)) => self.unavailable = Some(why),
        }
        Ok(self.unavailable.is_none())
    }

    fn add(
        &mut self,
        items: &[&Item],
        answers: Vec<Answer>,
        scoring: &Scoring,
    ) -> Result<(), StageError> {
        for (item, answer) in items.iter().zip(answers) {
            let scored = match &answer.refused {
                Some(why) => Scored::worthless(format!("refused: {why}")),
                None => scoring.score(item, &answer.text)?,
            };
            let response = Response {
                item: (*item).clone(),
                answer,
                scored,
                against: None,
            };
            let of_family = self.responses.entry(item.family).or_default();
            of_family.push(response);
        }
        Ok(())
    }

    /// Responses to the items of a family.
    pub(super) fn of(&self, family: Family) -> &[Response] {
        self.responses.get(&family).map_or(&[], Vec::as_slice)
    }
}
