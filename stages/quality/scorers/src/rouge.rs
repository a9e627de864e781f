//! ROUGE-L and ROUGE-Lsum, as the package rouge_score has them, without its stemmer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::text::f1;

/// Which ROUGE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rouge {
    /// The longest common subsequence of both texts.
    #[default]
    #[serde(rename = "rouge_l")]
    L,
    /// The union over lines of the longest common subsequences ("summary level").
    #[serde(rename = "rouge_lsum")]
    Lsum,
}

/// F1 of `answer` against `reference`, from 0 to 1. Words are runs of ASCII letters and digits in
/// lower case.
///
/// Source: Lin, ROUGE (W04-1013), §3.1 and §3.2; Lsum counts no word twice, as ROUGE-1.5.5.
///
/// ```
/// use sbt_scorers::{Rouge, rouge};
/// let f1 = rouge("the cat is on the mat", "The cat sat on the mat.", Rouge::L);
/// assert!((f1 - 10.0 / 12.0).abs() < 1e-12);
/// ```
pub fn rouge(answer: &str, reference: &str, measure: Rouge) -> f64 {
    match measure {
        Rouge::L => {
            let (answer, reference) = (tokens(answer), tokens(reference));
            f1(common(&reference, &answer), answer.len(), reference.len())
        }
        Rouge::Lsum => summary_level(answer, reference),
    }
}

fn tokens(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !matches!(c, 'a'..='z' | '0'..='9'))
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The length of the longest common subsequence, in one row of the table.
fn common(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for left in a {
        let mut diagonal = 0;
        for (j, right) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if left == right {
                diagonal + 1
            } else {
                above.max(row[j])
            };
            diagonal = above;
        }
    }
    row[b.len()]
}

fn summary_level(answer: &str, reference: &str) -> f64 {
    let sentences = |text: &str| -> Vec<Vec<String>> { text.split('\n').map(tokens).collect() };
    let (answer, reference) = (sentences(answer), sentences(reference));
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for word in answer.iter().flatten() {
        *left.entry(word).or_default() += 1;
    }
    let mut hits = 0;
    for sentence in &reference {
        let union: BTreeSet<usize> = answer
            .iter()
            .flat_map(|other| common_places(sentence, other))
            .collect();
        for place in union {
            // Each word of the reference is met once; the answer's must not count twice either.
            if let Some(count) = left
                .get_mut(sentence[place].as_str())
                .filter(|count| **count > 0)
            {
                *count -= 1;
                hits += 1;
            }
        }
    }
    f1(
        hits,
        answer.iter().map(Vec::len).sum(),
        reference.iter().map(Vec::len).sum(),
    )
}

/// Where in `reference` one of the longest common subsequences stands; of several the one that
/// rouge_score walks back to.
fn common_places(reference: &[String], answer: &[String]) -> Vec<usize> {
    let mut table = vec![vec![0; answer.len() + 1]; reference.len() + 1];
    for (i, left) in reference.iter().enumerate() {
        for (j, right) in answer.iter().enumerate() {
            table[i + 1][j + 1] = if left == right {
                table[i][j] + 1
            } else {
                table[i][j + 1].max(table[i + 1][j])
            };
        }
    }
    let (mut i, mut j) = (reference.len(), answer.len());
    let mut places = Vec::new();
    while i > 0 && j > 0 {
        if reference[i - 1] == answer[j - 1] {
            places.push(i - 1);
            (i, j) = (i - 1, j - 1);
        } else if table[i][j - 1] > table[i - 1][j] {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    places
}
