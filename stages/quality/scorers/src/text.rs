//! Exact match and word F1, as SQuAD's evaluation script has them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

static ANSWER_IS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\banswer(?: is:?|:)\s*").expect("a constant that a test compiles")
});

/// What counts as the same text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// SQuAD's: neither case, ASCII punctuation, the articles a, an, the, nor white space count.
    #[default]
    Squad,
    /// White space at the ends and its amount between words do not count. For answers that
    /// consist of punctuation.
    Verbatim,
}

/// Whether `answer` is `reference`.
///
/// ```
/// use sbt_scorers::{Compare, exact_match};
/// assert!(exact_match("The Eiffel Tower!", "eiffel tower", Compare::Squad));
/// assert!(!exact_match("] >", "] )", Compare::Verbatim));
/// ```
pub fn exact_match(answer: &str, reference: &str, compare: Compare) -> bool {
    match compare {
        Compare::Squad => words(answer) == words(reference),
        Compare::Verbatim => answer.split_whitespace().eq(reference.split_whitespace()),
    }
}

/// F1 over words, each counted as often as both texts have it; from 0 to 1. Two texts of which one
/// has no word at all are equal (1) or not (0).
///
/// Source: Rajpurkar et al., SQuAD (arXiv 1606.05250), and its evaluation script 2.0.
pub fn token_f1(answer: &str, reference: &str) -> f64 {
    let (answer, reference) = (words(answer), words(reference));
    if answer.is_empty() || reference.is_empty() {
        return f64::from(u8::from(answer == reference));
    }
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for word in &reference {
        *left.entry(word).or_default() += 1;
    }
    let mut same = 0;
    for word in &answer {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            same += 1;
        }
    }
    f1(same, answer.len(), reference.len())
}

/// The harmonic mean of `same / answer` and `same / reference`.
pub(crate) fn f1(same: usize, answer: usize, reference: usize) -> f64 {
    if same == 0 {
        return 0.0;
    }
    let (precision, recall) = (same as f64 / answer as f64, same as f64 / reference as f64);
    2.0 * precision * recall / (precision + recall)
}

/// What follows the last "answer is" or "answer:" on its line, without the sentence's full stop;
/// the whole text when it says no such thing.
pub(crate) fn after_answer_is(text: &str) -> &str {
    let Some(said) = ANSWER_IS.find_iter(text).last() else {
        return text;
    };
    let line = text[said.end()..].lines().next().unwrap_or("").trim_end();
    line.strip_suffix('.').unwrap_or(line)
}

/// SQuAD's normalised words.
fn words(text: &str) -> Vec<String> {
    let plain: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_ascii_punctuation())
        .collect();
    without_articles(&plain)
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// Articles are words between characters that are none, as `\b(a|an|the)\b` has it.
fn without_articles(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain(std::iter::once(' ')) {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        let article = matches!(word.as_str(), "a" | "an" | "the");
        out.push_str(if article { " " } else { &word });
        word.clear();
        out.push(c);
    }
    out
}
