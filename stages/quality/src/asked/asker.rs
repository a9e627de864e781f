use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sbt_engine::{Digest, Durability, StageContext, StageError};
use sbt_trials::{Asking, Config, Line, Refusal};
use serde_json::{Value, json};

use super::answer::{Answer, Manner};
use crate::suite::Item;

/// Waits between attempts at a server that does not answer.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// Asks servers, each item once in each run; what is known is not asked again.
pub(super) struct Asker<'a> {
    pub(super) ctx: &'a StageContext,
    pub(super) asking: Asking<'a>,
    pub(super) manner: Manner,
    /// Questions at once.
    pub(super) concurrency: usize,
    /// Time for one answer.
    pub(super) limit: Duration,
    /// Keys of what was asked in this run: a refresh asks for each once.
    pub(super) fresh: Mutex<BTreeMap<Digest, ()>>,
}

/// Whom a question goes to.
pub(super) struct Addressee<'a> {
    pub(super) config: &'a Config,
    /// Its name in progress.
    pub(super) name: &'a str,
    /// What its answers depend on beside the question.
    pub(super) identity: Value,
    /// 0, or 1 for the second time of an A/A run.
    pub(super) time: u64,
}

/// Why an addressee answers nothing: it does not start, or ended on the way.
pub(super) struct Unavailable(pub(super) String);

impl Asker<'_> {
    /// Answers to items in their order.
    ///
    /// # Errors
    /// When a server that runs does not answer, or the run is being stopped; answers so far stay
    /// in the memo.
    pub(super) fn answers(
        &self,
        to: &Addressee<'_>,
        items: &[&Item],
    ) -> Result<Result<Vec<Answer>, Unavailable>, StageError> {
        let known = || {
            let known = items.iter().map(|item| self.known(&self.key(to, item)));
            known.collect::<Result<Vec<Option<Answer>>, StageError>>()
        };
        let answers = known()?;
        if answers.iter().all(Option::is_some) {
            return Ok(Ok(answers.into_iter().flatten().collect()));
        }
        let count = self.concurrency.min(items.len());
        let lines = match self.asking.lines(to.config, count, self.limit)? {
            Ok(lines) => lines,
            Err((_, why)) => return Ok(Err(Unavailable(why))),
        };
        // another stage may have asked while this one waited for the machine
        let mut answers = known()?;
        let missing: Vec<usize> = (0..items.len()).filter(|i| answers[*i].is_none()).collect();
        let asked = self.all(&lines, to, items, &missing);
        drop(lines);
        match asked {
            Ok(asked) => {
                for (place, answer) in missing.into_iter().zip(asked) {
                    answers[place] = Some(answer);
                }
                Ok(Ok(answers.into_iter().flatten().collect()))
            }
            Err(error @ StageError::Cancelled) => Err(error),
            Err(error) => match self.asking.death() {
                Some((_, why)) => Ok(Err(Unavailable(why))),
                None => Err(error),
            },
        }
    }

    /// Asks for the items at some places, over all lines at once.
    fn all(
        &self,
        lines: &[Line],
        to: &Addressee<'_>,
        items: &[&Item],
        places: &[usize],
    ) -> Result<Vec<Answer>, StageError> {
        let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let failed = AtomicBool::new(false);
        let results: Vec<Mutex<Option<Result<Answer, StageError>>>> =
            places.iter().map(|_| Mutex::new(None)).collect();
        let note = format!("answers of {}", to.name);
        std::thread::scope(|scope| {
            for line in lines {
                let work = || {
                    while !failed.load(Ordering::Relaxed) {
                        let turn = next.fetch_add(1, Ordering::Relaxed) as usize;
                        let Some(place) = places.get(turn) else { break };
                        let result = self.one(line, to, items[*place]);
                        failed.fetch_or(result.is_err(), Ordering::Relaxed);
                        *results[turn].lock().unwrap_or_else(PoisonError::into_inner) =
                            Some(result);
                        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                        self.ctx.progress(done, places.len() as u64, &note);
                    }
                };
                scope.spawn(work);
            }
        });
        let results = results
            .into_iter()
            .filter_map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
        results.collect()
    }

    fn one(&self, line: &Line, to: &Addressee<'_>, item: &Item) -> Result<Answer, StageError> {
        let request = self.manner.request(item);
        let mut pauses = PAUSES.iter();
        loop {
            self.ctx.check_cancelled()?;
            let said = match line.chat(&request) {
                Ok(answer) => match Answer::read(&answer) {
                    Ok(answer) => {
                        self.remember(self.key(to, item), &answer)?;
                        return Ok(answer);
                    }
                    Err(problem) => problem,
                },
                // It may be answered with another context length: nothing to remember.
                Err(Refusal::Refused(why)) => return Ok(Answer::refused(why)),
                Err(Refusal::Silent(why)) => why,
            };
            let Some(pause) = pauses.next() else {
                let (name, id) = (to.name, &item.id);
                return Err(StageError::user(format!(
                    "{name} did not answer `{id}`: {said}"
                )));
            };
            std::thread::sleep(*pause);
        }
    }

    fn key(&self, to: &Addressee<'_>, item: &Item) -> Digest {
        let parts = json!({
            "to": to.identity,
            "time": to.time,
            "concurrency": self.concurrency,
            "request": self.manner.request(item),
        });
        Digest::of_value("sbt-answer-v1", &parts)
    }

    fn known(&self, key: &Digest) -> Result<Option<Answer>, StageError> {
        if self.ctx.refresh && !self.fresh().contains_key(key) {
            return Ok(None);
        }
        let value = self.ctx.memo.get(key)?;
        Ok(value.and_then(|value| serde_json::from_value(value).ok()))
    }

    fn remember(&self, key: Digest, answer: &Answer) -> Result<(), StageError> {
        let memo = &self.ctx.memo;
        memo.replace(key, &json!(answer), Durability::Power)?;
        self.fresh().insert(key, ());
        Ok(())
    }

    fn fresh(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, ()>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
