//! What an answer is worth.

use sbt_engine::StageError;
use sbt_sandbox::{Ending, Limits};
use sbt_scorers::{NotScored, PASSED, Rouge, Score, rouge};

use crate::programs::Programs;
use crate::suite::Item;

/// A score, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scored {
    /// 0 to 1; none when it could not be found out.
    pub(crate) value: Option<f64>,
    pub(crate) detail: Option<String>,
}

impl Scored {
    /// Nothing right.
    pub(crate) fn worthless(why: String) -> Self {
        Self {
            value: Some(0.0),
            detail: Some(why),
        }
    }

    fn not_run(why: &str) -> Self {
        Self {
            value: None,
            detail: Some(format!("not run: {why}")),
        }
    }
}

impl From<Score> for Scored {
    fn from(score: Score) -> Self {
        Self {
            value: Some(score.value),
            detail: score.detail,
        }
    }
}

/// What scoring needs beside answers.
pub(crate) struct Scoring {
    pub(crate) programs: Programs,
}

impl Scoring {
    /// # Errors
    /// When the item is at fault.
    pub(crate) fn score(&self, item: &Item, answer: &str) -> Result<Scored, StageError> {
        if let Some(program) = item.scorer.program(answer) {
            return Ok(self.run(&program));
        }
        match item.scorer.score(answer, item.reference.as_deref()) {
            Ok(score) => Ok(score.into()),
            Err(
                error @ (NotScored::NoReference
                | NotScored::Reference(_)
                | NotScored::Schema(_)
                | NotScored::Program),
            ) => Err(StageError::user(format!("item `{}`: {error}", item.id))),
        }
    }

    /// How alike two answers are, 0 to 1.
    pub(crate) fn likeness(answer: &str, other: &str) -> f64 {
        match answer == other {
            true => 1.0,
            false => rouge(answer, other, Rouge::L),
        }
    }

    fn run(&self, program: &str) -> Scored {
        let sandbox = match &self.programs {
            Programs::Run(sandbox) => sandbox,
            Programs::NotRun(why) => return Scored::not_run(why),
        };
        match sandbox.run(program, &Limits::default()) {
            Err(error) => Scored::not_run(&error.to_string()),
            Ok(finished) if finished.how == Ending::Exit(PASSED) => Score::of(true).into(),
            Ok(finished) => {
                let said = finished.stderr.text.trim_end();
                let last = said.lines().last().unwrap_or_default();
                Scored::worthless(format!("{:?} {last}", finished.how).trim_end().to_owned())
            }
        }
    }
}
