//! The number that an answer comes to.

use std::sync::LazyLock;

use regex::Regex;

use crate::{NotScored, Score};

/// GSM8K's form of a final answer, with a currency sign allowed before it.
static FINAL: LazyLock<Regex> = LazyLock::new(|| pattern(r"####\s*(-?[$€£]?-?[0-9][0-9.,]*)"));

/// A number in running text. Digits alone make one, so that a full stop is none.
static ANY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"-?[$€£]?-?(?:[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant that a test compiles")
}

/// Relative difference below which two numbers are the same: `0.1 + 0.2` is `0.3`.
const SAME: f64 = 1e-9;

pub(crate) fn score(answer: &str, reference: &str) -> Result<Score, NotScored> {
    let wanted = find(reference).ok_or_else(|| NotScored::Reference("a number".to_owned()))?;
    Ok(match find(answer) {
        None => Score::of(false).because("no number"),
        Some(found) => Score::of(same(found, wanted)).because(found.to_string()),
    })
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.abs().max(b.abs())
}

/// The last number after `####`, else the last number.
fn find(text: &str) -> Option<f64> {
    let marked = FINAL
        .captures_iter(text)
        .last()
        .map(|found| found.get(1).map_or("", |m| m.as_str()));
    value(marked.or_else(|| ANY.find_iter(text).last().map(|found| found.as_str()))?)
}

fn value(text: &str) -> Option<f64> {
    let digits: String = text
        .chars()
        .filter(|c| !matches!(c, '$' | '€' | '£' | ','))
        .collect();
    digits.trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn number_is_found_in_all_its_forms() {
        for (text, number) in [
            ("so 9 * 2 = 18\n#### 18", Some(18.0)),
            ("#### 1,234.", Some(1234.0)),
            ("#### -$5", Some(-5.0)),
            ("#### $-5.50 in all, of 7", Some(-5.5)),
            ("The total is $1,250.75.", Some(1250.75)),
            ("It is 3, or 4.", Some(4.0)),
            ("version 1.2.3", Some(0.3)),
            ("half, that is .5", Some(0.5)),
            ("none. at, all", None),
            ("####", None),
        ] {
            assert_eq!(find(text), number, "{text}");
        }
    }
}
