//! Words and their case, as Python and NLTK see them.

use std::sync::LazyLock;

use regex::Regex;

/// Letters, digits and marks, as NLTK's `RegexpTokenizer` has them since it uses the package regex.
static WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"\w+"));

/// What the Penn Treebank tokeniser splits off or apart, as far as letters are concerned.
static SPLITS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"[;@#$%&?!()\[\]{}<>"«»“”‘’]|\.\.\.|--|``|''|[:,]($|\D)"#));

/// Endings that are words of their own: they'd, can't.
static ENDINGS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)([^' ])('s|'m|'d|'ll|'re|'ve|n't)\b"));

/// Words that are two.
static DOUBLES: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:(can)(not)|(gim|lem)(me)|(gon|wan)(na)|(got)(ta))\b"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant that a test compiles")
}

pub(super) fn count(text: &str) -> usize {
    WORD.find_iter(text).count()
}

/// Some letter is upper case and none is lower case.
pub(super) fn is_upper(text: &str) -> bool {
    text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)
}

/// Some letter is lower case and none is upper case.
pub(super) fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase)
}

/// How many words are in upper case.
pub(super) fn capitals(text: &str) -> usize {
    let text = SPLITS.replace_all(text, " $1");
    let text = ENDINGS.replace_all(&text, "$1 $2");
    let text = DOUBLES.replace_all(&text, "$1$3$5$7 $2$4$6$8");
    text.split_whitespace()
        .filter(|word| is_upper(word))
        .count()
}
