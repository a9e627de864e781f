//! What an item is scored with.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ifeval::{Instruction, Strictness};
use crate::text::Compare;
use crate::{choice, code, ifeval, json, number, rouge, text};

/// What an item is scored with: the field `scorer` of a suite's line, e.g. `{"kind": "number"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Scorer {
    /// 1 when the answer is the reference.
    ExactMatch {
        /// What counts as the same.
        #[serde(default)]
        compare: Compare,
        /// Whether only what follows the last "answer is" or "answer:", up to the end of its line,
        /// counts (all of the answer when it says no such thing): the form of BIG-Bench-Hard.
        #[serde(default)]
        answer_is: bool,
    },
    /// SQuAD's F1: the harmonic mean of precision and recall over words that both texts have.
    F1 {},
    /// 1 when the answer's number is the reference's: the one after `####` (GSM8K), else the last.
    Number {},
    /// 1 when the answer names the reference's choice: "the answer is (B)", "(B)", "B.".
    Choice {
        /// The letters there are to choose from, e.g. `"ABCD"`.
        letters: String,
    },
    /// The JSON document found in the answer: 0 when there is none or it does not fit the schema,
    /// else the share of `fields` that are as in the reference (1 when there are none).
    Json {
        /// A JSON Schema (draft 2020-12 unless it names another); never fetched from elsewhere.
        schema: Value,
        /// JSON pointers (RFC 6901), e.g. `/address/city`.
        #[serde(default)]
        fields: Vec<String>,
    },
    /// 1 when every instruction is followed (IFEval, "prompt-level").
    Ifeval {
        /// What the prompt asked for.
        instructions: Vec<Instruction>,
        /// Whether an introduction, a closing line and asterisks are forgiven.
        #[serde(default)]
        strictness: Strictness,
    },
    /// ROUGE F1 against the reference.
    Rouge {
        /// Which.
        #[serde(default)]
        measure: rouge::Rouge,
    },
    /// 1 when the tests pass. Scored by the caller, who runs [`Scorer::program`].
    Code {
        /// The beginning that the answer continues (HumanEval's `prompt`).
        prompt: String,
        /// Text that defines `check(candidate)`.
        tests: String,
        /// The function to check.
        entry_point: String,
    },
}

/// How well an answer does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// From 0, wrong, to 1, right.
    pub value: f64,
    /// What was found or missed, for a reader.
    pub detail: Option<String>,
}

impl Score {
    /// 1 or 0.
    pub fn of(right: bool) -> Self {
        Self {
            value: f64::from(u8::from(right)),
            detail: None,
        }
    }

    /// The same, with what was found or missed.
    pub fn because(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

/// Why an item cannot be scored: a fault of the item, not of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotScored {
    /// The scorer compares with a reference, and the item has none.
    NoReference,
    /// The reference is not what the scorer compares with: a number, a letter, JSON.
    Reference(String),
    /// The schema is not a JSON Schema.
    Schema(String),
    /// The answer is a program, which the caller runs.
    Program,
}

impl std::fmt::Display for NotScored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoReference => f.write_str("the item has no reference to compare with"),
            Self::Reference(wanted) => write!(f, "the item's reference is not {wanted}"),
            Self::Schema(reason) => write!(f, "the item's schema is none: {reason}"),
            Self::Program => f.write_str("the answer is a program, which has to be run"),
        }
    }
}

impl std::error::Error for NotScored {}

impl Scorer {
    /// Scores `answer` against `reference`, which a scorer that only checks rules does not need.
    ///
    /// # Errors
    /// [`NotScored`] when the item is at fault; a bad answer is scored 0.
    pub fn score(&self, answer: &str, reference: Option<&str>) -> Result<Score, NotScored> {
        let needed = || reference.ok_or(NotScored::NoReference);
        match self {
            Self::ExactMatch { compare, answer_is } => {
                let answer = if *answer_is {
                    text::after_answer_is(answer)
                } else {
                    answer
                };
                Ok(Score::of(text::exact_match(answer, needed()?, *compare)))
            }
            Self::F1 {} => Ok(share(text::token_f1(answer, needed()?))),
            Self::Number {} => number::score(answer, needed()?),
            Self::Choice { letters } => choice::score(answer, needed()?, letters),
            Self::Json { schema, fields } => json::score(answer, reference, schema, fields),
            Self::Ifeval {
                instructions,
                strictness,
            } => Ok(ifeval::score(answer, instructions, *strictness)),
            Self::Rouge { measure } => Ok(share(rouge::rouge(answer, needed()?, *measure))),
            Self::Code { .. } => Err(NotScored::Program),
        }
    }

    /// The Python program that checks `answer`, when it is one: the answer is right if and only if
    /// the program ends by itself with the code [`PASSED`](crate::PASSED).
    pub fn program(&self, answer: &str) -> Option<String> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "one kind alone is a program"
        )]
        match self {
            Self::Code {
                prompt,
                tests,
                entry_point,
            } => Some(code::program(prompt, answer, tests, entry_point)),
            _ => None,
        }
    }
}

fn share(value: f64) -> Score {
    Score {
        value,
        detail: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{NotScored, Scorer};

    fn scorer(text: &str) -> Result<Scorer, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn line_of_a_suite_reads_back_as_it_was_written() {
        for text in [
            r#"{"kind":"exact_match","compare":"verbatim","answer_is":true}"#,
            r#"{"kind":"f1"}"#,
            r#"{"kind":"number"}"#,
            r#"{"kind":"choice","letters":"ABCD"}"#,
            r#"{"kind":"json","schema":{"type":"object"},"fields":["/a"]}"#,
            r#"{"kind":"ifeval","instructions":[{"id":"punctuation:no_comma"},{"id":"length_constraints:number_words","num_words":3,"relation":"at least"}],"strictness":"loose"}"#,
            r#"{"kind":"rouge","measure":"rouge_lsum"}"#,
            r#"{"kind":"code","prompt":"def f():\n","tests":"def check(c): pass","entry_point":"f"}"#,
        ] {
            assert_eq!(serde_json::to_string(&scorer(text).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn unknown_kinds_fields_and_arguments_are_refused() {
        for text in [
            r#"{"kind":"bleu"}"#,
            r#"{"kind":"f1","stem":true}"#,
            r#"{"kind":"ifeval","instructions":[{"id":"keywords:existence"}]}"#,
            r#"{"kind":"ifeval","instructions":[{"id":"punctuation:no_comma","comma":1}]}"#,
            r#"{"kind":"ifeval","instructions":[{"id":"length_constraints:number_words","num_words":3,"relation":"about"}]}"#,
        ] {
            assert!(scorer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn item_at_fault_is_not_scored() {
        let score = |text, reference| scorer(text).unwrap().score("5", reference);
        assert_eq!(score(r#"{"kind":"f1"}"#, None), Err(NotScored::NoReference));
        let number = score(r#"{"kind":"number"}"#, Some("none"));
        assert!(matches!(number, Err(NotScored::Reference(_))));
        let choice = score(r#"{"kind":"choice","letters":"AB"}"#, Some("(C)"));
        assert!(matches!(choice, Err(NotScored::Reference(_))));
        let code = r#"{"kind":"code","prompt":"","tests":"","entry_point":"f"}"#;
        assert_eq!(score(code, None), Err(NotScored::Program));
    }
}
