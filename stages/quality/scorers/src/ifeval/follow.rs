//! Whether an answer follows an instruction.

use std::sync::LazyLock;

use regex::Regex;

use super::instruction::Instruction;
use super::{language, sentences, words};

/// The answers that `constrained_response` asks for one of.
const CONSTRAINED: [&str; 3] = [
    "My answer is yes.",
    "My answer is no.",
    "My answer is maybe.",
];

macro_rules! patterns {
    ($($name:ident = $text:literal;)*) => {$(
        static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new($text).expect("a constant that a test compiles"));
    )*};
}

patterns! {
    PLACEHOLDER = r"\[.*?\]";
    STAR_BULLET = r"(?m)^\s*\*[^\*].*$";
    DASH_BULLET = r"(?m)^\s*-.*$";
    HIGHLIGHT = r"\*[^\n\*]*\*";
    DOUBLE_HIGHLIGHT = r"\*\*[^\n\*]*\*\*";
    PARAGRAPH = r"\s?\*\*\*\s?";
    TITLE = r"<<[^\n]+>>";
    PS = r"(?m)\s*p\.\s?s\..*$";
    PPS = r"(?m)\s*p\.\s?p\.\s?s.*$";
}

pub(super) fn follows(answer: &str, instruction: &Instruction) -> bool {
    use Instruction as I;
    match instruction {
        I::Keywords { keywords } => keywords.iter().all(|keyword| find(keyword, answer) > 0),
        I::KeywordFrequency {
            keyword,
            frequency,
            relation,
        } => relation.holds(find(keyword.trim(), answer), *frequency),
        I::ForbiddenWords { forbidden_words } => forbidden_words
            .iter()
            .all(|word| find(&format!(r"\b{word}\b"), answer) == 0),
        I::LetterFrequency {
            letter,
            let_frequency,
            let_relation,
        } => {
            let letter = letter.to_lowercase().to_string();
            let_relation.holds(
                answer.to_lowercase().matches(&letter).count(),
                *let_frequency,
            )
        }
        I::Language { language } => language::is(answer, language),
        I::Sentences {
            num_sentences,
            relation,
        } => relation.holds(sentences::count(answer), *num_sentences),
        I::Paragraphs { num_paragraphs } => parts(PARAGRAPH.split(answer)) == Some(*num_paragraphs),
        I::Words {
            num_words,
            relation,
        } => relation.holds(words::count(answer), *num_words),
        I::ParagraphFirstWord {
            num_paragraphs,
            nth_paragraph,
            first_word,
        } => {
            first_word_of(answer, *nth_paragraph, *num_paragraphs)
                == Some(first_word.to_lowercase())
        }
        I::Placeholders { num_placeholders } => {
            PLACEHOLDER.find_iter(answer).count() >= *num_placeholders
        }
        I::Postscript { postscript_marker } => postscript(answer, postscript_marker.trim()),
        I::Bullets { num_bullets } => {
            let bullets = [&STAR_BULLET, &DASH_BULLET].map(|form| form.find_iter(answer).count());
            bullets.iter().sum::<usize>() == *num_bullets
        }
        I::ConstrainedResponse {} => CONSTRAINED.iter().any(|text| answer.contains(text)),
        I::Highlights { num_highlights } => highlights(answer) >= *num_highlights,
        I::Sections {
            section_spliter,
            num_sections,
        } => {
            find_as_is(&format!(r"\s?{}\s?\d+\s?", section_spliter.trim()), answer) >= *num_sections
        }
        I::Json {} => is_json(answer),
        I::Title {} => TITLE.find_iter(answer).any(|title| {
            !title
                .as_str()
                .trim_start_matches('<')
                .trim_end_matches('>')
                .trim()
                .is_empty()
        }),
        I::TwoResponses {} => two_responses(answer),
        I::RepeatPrompt { prompt_to_repeat } => answer
            .trim()
            .to_lowercase()
            .starts_with(&prompt_to_repeat.trim().to_lowercase()),
        I::End { end_phrase } => {
            let answer = answer.trim().trim_matches('"').to_lowercase();
            answer.ends_with(&end_phrase.trim().to_lowercase())
        }
        I::Quotation {} => {
            let answer = answer.trim();
            answer.len() > 1 && answer.starts_with('"') && answer.ends_with('"')
        }
        I::CapitalWords {
            capital_frequency,
            capital_relation,
        } => capital_relation.holds(words::capitals(answer), *capital_frequency),
        I::Capitals {} => words::is_upper(answer) && language::is(answer, "en"),
        I::Lowercase {} => words::is_lower(answer) && language::is(answer, "en"),
        I::NoComma {} => !answer.contains(','),
    }
}

/// How often a pattern of the item occurs, in either case.
fn find(pattern: &str, answer: &str) -> usize {
    find_as_is(&format!("(?i){pattern}"), answer)
}

/// How often a pattern of the item occurs. One that is no regular expression is taken literally.
fn find_as_is(pattern: &str, answer: &str) -> usize {
    Regex::new(pattern).map_or_else(
        |_| answer.matches(pattern).count(),
        |pattern| pattern.find_iter(answer).count(),
    )
}

/// How many parts there are, not counting an empty first and last one; none when another is empty.
fn parts<'a>(parts: impl Iterator<Item = &'a str>) -> Option<usize> {
    let parts: Vec<&str> = parts.collect();
    let mut filled = 0;
    for (place, part) in parts.iter().enumerate() {
        if !part.trim().is_empty() {
            filled += 1;
        } else if place != 0 && place != parts.len() - 1 {
            return None;
        }
    }
    Some(filled)
}

/// The first word of the `nth` paragraph, when there are `count` paragraphs.
fn first_word_of(answer: &str, nth: usize, count: usize) -> Option<String> {
    let paragraphs: Vec<&str> = answer.split("\n\n").collect();
    let filled = paragraphs
        .iter()
        .filter(|paragraph| !paragraph.trim().is_empty())
        .count();
    // Empty paragraphs count for the place, not for the number: so does the reference.
    if filled != count || nth > filled {
        return None;
    }
    let word = paragraphs
        .get(nth.checked_sub(1)?)?
        .split_whitespace()
        .next()?;
    let word = word.trim_start_matches('\'').trim_start_matches('"');
    let end = word
        .find(['.', ',', '?', '!', '\'', '"'])
        .unwrap_or(word.len());
    Some(word[..end].to_lowercase())
}

fn postscript(answer: &str, marker: &str) -> bool {
    let answer = answer.to_lowercase();
    match marker {
        "P.P.S" => PPS.is_match(&answer),
        "P.S." => PS.is_match(&answer),
        other => find_as_is(&other.to_lowercase(), &answer) > 0,
    }
}

fn highlights(answer: &str) -> usize {
    let filled = |form: &Regex| {
        let all = form.find_iter(answer);
        all.filter(|text| !text.as_str().trim_matches('*').trim().is_empty())
            .count()
    };
    filled(&HIGHLIGHT) + filled(&DOUBLE_HIGHLIGHT)
}

fn is_json(answer: &str) -> bool {
    let mut text = answer.trim();
    for opening in ["```json", "```Json", "```JSON", "```"] {
        text = text.strip_prefix(opening).unwrap_or(text);
    }
    let text = text.strip_suffix("```").unwrap_or(text).trim();
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

fn two_responses(answer: &str) -> bool {
    let responses: Vec<&str> = answer.split("******").collect();
    let filled: Vec<&str> = responses
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
        .collect();
    parts(responses.into_iter()) == Some(2) && filled[0] != filled[1]
}
