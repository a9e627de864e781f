//! The letter that an answer chooses.

use std::sync::LazyLock;

use regex::Regex;

use crate::{NotScored, Score};

/// From the surest form to the weakest; of several places the last counts.
static FORMS: LazyLock<[Regex; 4]> = LazyLock::new(|| {
    [
        r"(?i:answer|choice|option)(?i:\s+is)?\s*:?\s*[*_`]*(?:\(([A-Za-z])\)|([A-Z])\b|([a-z])(?:[.)*_`]|\s*$))",
        r"\(([A-Za-z])\)",
        r"(?m)^\s*[*_`]*([A-Za-z])[.)]?[*_`]*\s*$",
        r"(?m)^\s*[*_`]*([A-Z])[.):]",
    ]
    .map(|form| Regex::new(form).expect("a constant that a test compiles"))
});

pub(crate) fn score(answer: &str, reference: &str, letters: &str) -> Result<Score, NotScored> {
    let wanted = find(reference, letters)
        .ok_or_else(|| NotScored::Reference(format!("one of the letters {letters}")))?;
    Ok(match find(answer, letters) {
        None => Score::of(false).because("no choice"),
        Some(found) => Score::of(found == wanted).because(found),
    })
}

/// The chosen letter, in upper case.
fn find(text: &str, letters: &str) -> Option<char> {
    let chosen = |form: &Regex| {
        form.captures_iter(text)
            .filter_map(|found| {
                found
                    .iter()
                    .skip(1)
                    .flatten()
                    .next()?
                    .as_str()
                    .chars()
                    .next()
            })
            .map(|letter| letter.to_ascii_uppercase())
            .filter(|letter| letters.to_ascii_uppercase().contains(*letter))
            .last()
    };
    FORMS.iter().find_map(chosen)
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn letter_is_found_in_all_its_forms() {
        for (text, letter) in [
            ("(A)", Some('A')),
            ("B", Some('B')),
            ("**C**", Some('C')),
            ("d.", Some('D')),
            ("D. Tuesday", Some('D')),
            (
                "Let's think. (A) is wrong. So the answer is (B).",
                Some('B'),
            ),
            ("The answer is: C", Some('C')),
            ("Answer: **b**", Some('B')),
            ("The answer is a bird", None),
            ("(A) and (C) are wrong, which leaves (D)", Some('D')),
            ("(Z)", None),
            ("no idea", None),
        ] {
            assert_eq!(find(text, "ABCD"), letter, "{text}");
        }
    }
}
