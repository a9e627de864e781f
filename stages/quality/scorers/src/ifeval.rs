//! Instructions whose following a rule can check: the 25 kinds of IFEval.
//!
//! Source: Zhou et al., Instruction-Following Evaluation (arXiv 2311.07911) and its code in
//! google-research. Two kinds rest on learned models there and are approximate here: sentences
//! (NLTK's Punkt) and languages (langdetect); see `sentences` and `language`.

mod follow;
mod instruction;
mod language;
mod sentences;
mod words;

use serde::{Deserialize, Serialize};

pub use instruction::{Instruction, Relation};

use crate::Score;

/// What is forgiven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// Nothing.
    #[default]
    Strict,
    /// Each instruction may be followed by the answer without its first line, its last line, or
    /// its asterisks.
    Loose,
}

/// 1 when all are followed; the detail names those that are not.
pub(crate) fn score(answer: &str, instructions: &[Instruction], strictness: Strictness) -> Score {
    let forms = match strictness {
        Strictness::Strict => vec![answer.to_owned()],
        Strictness::Loose => loose(answer),
    };
    let missed: Vec<String> = instructions
        .iter()
        .filter(|instruction| !forms.iter().any(|form| follows(form, instruction)))
        .map(Instruction::id)
        .collect();
    if missed.is_empty() {
        return Score::of(true);
    }
    Score::of(false).because(format!("does not follow {}", missed.join(", ")))
}

/// Silence follows no instruction.
fn follows(answer: &str, instruction: &Instruction) -> bool {
    !answer.trim().is_empty() && follow::follows(answer, instruction)
}

fn loose(answer: &str) -> Vec<String> {
    let lines: Vec<&str> = answer.split('\n').collect();
    let last = lines.len() - 1;
    let joined = |lines: &[&str]| lines.join("\n").trim().to_owned();
    let mut forms = vec![
        answer.to_owned(),
        joined(&lines[1..]),
        joined(&lines[..last]),
        joined(lines.get(1..last).unwrap_or(&[])),
    ];
    let plain: Vec<String> = forms.iter().map(|form| form.replace('*', "")).collect();
    forms.extend(plain);
    forms.sort();
    forms.dedup();
    forms
}
