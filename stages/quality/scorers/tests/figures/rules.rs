//! How an answer is made of a text: the rules of `../reference/make.py`.

/// All of them, in the order of the figures.
pub(crate) const RULES: [&str; 22] = [
    "as_is",
    "half",
    "lower",
    "upper",
    "reversed",
    "prose",
    "fenced",
    "no_comma",
    "quoted",
    "title",
    "bullets",
    "dashes",
    "highlights",
    "bold",
    "placeholders",
    "paragraphs",
    "blank_lines",
    "sections",
    "two",
    "postscript",
    "json",
    "empty",
];

pub(crate) fn answer(rule: &str, text: &str) -> String {
    match rule {
        "as_is" => text.to_owned(),
        "half" => text.chars().take(text.chars().count() / 2).collect(),
        "lower" => text.to_lowercase(),
        "upper" => text.to_uppercase(),
        "reversed" => reversed(text),
        "prose" => format!("Sure, here it is:\n\n{text}\n\nI hope that helps!"),
        "fenced" => format!("```\n{text}\n```"),
        "no_comma" => text.replace(',', ""),
        "quoted" => format!("\"{text}\""),
        "title" => format!("<<A title>>\n\n{text}"),
        "bullets" => prefixed(text.split(". "), "* "),
        "dashes" => prefixed(text.split('\n'), "- "),
        "highlights" => every(5, text, ("*", "*")),
        "bold" => every(9, text, ("**", "**")),
        "placeholders" => every(7, text, ("[", "]")),
        "paragraphs" => text.replace(". ", "\n***\n"),
        "blank_lines" => text.replace(". ", "\n\n"),
        "sections" => format!("SECTION 1\n{text}\nSECTION 2\n{text}"),
        "two" => format!("{text}\n******\n{}", reversed(text)),
        "postscript" => format!("{text}\n\nP.S. Thank you.\nP.P.S Really."),
        "json" => "```json\n{\"answer\": \"yes\"}\n```".to_owned(),
        "empty" => " ".to_owned(),
        other => panic!("no rule {other}"),
    }
}

fn reversed(text: &str) -> String {
    text.split_whitespace().rev().collect::<Vec<_>>().join(" ")
}

fn prefixed<'a>(parts: impl Iterator<Item = &'a str>, prefix: &str) -> String {
    parts
        .map(|part| format!("{prefix}{part}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every `n`th word, from the first, between two signs.
fn every(n: usize, text: &str, (before, after): (&str, &str)) -> String {
    let words = text.split_whitespace().enumerate();
    let marked = words.map(|(place, word)| match place % n {
        0 => format!("{before}{word}{after}"),
        _ => word.to_owned(),
    });
    marked.collect::<Vec<_>>().join(" ")
}
