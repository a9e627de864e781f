//! The grammar of references: `${params.x.y}`, `${params.x.${matrix.y}}`, `${matrix.x}`,
//! `${env.X:-default}`, `${file:PATH}`.

use std::borrow::Cow;
use std::ops::Range;

use crate::params::nearest_name;

const SPACES: [&str; 4] = ["params", "matrix", "env", "file"];

/// What a reference names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// Keys below `params`.
    Params(Vec<&'a str>),
    /// Keys below `params`, some of them references; they start at this offset.
    ParamsBy(&'a str, usize),
    /// An axis.
    Matrix(&'a str),
    /// A variable, and what stands for it when it is not set.
    Env(&'a str, Option<&'a str>),
    /// A path, which may hold references of its own; it starts at this offset.
    File(&'a str, usize),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(Cow<'a, str>),
    /// With the bytes that it takes in the text.
    Reference(Reference<'a>, Range<usize>),
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Splits a text at its references. `$$` stands for `$`.
pub(crate) fn parse(text: &str) -> Result<Vec<Piece<'_>>, Malformed> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(dollar) = text[at..].find('$').map(|i| at + i) {
        let after = &text[dollar + 1..];
        let (piece, end) = if after.starts_with('{') {
            let close = closing_brace(text, dollar)?;
            let span = dollar..close + 1;
            let body = reference(&text[dollar + 2..close], dollar + 2);
            let body = body.map_err(|(message, help)| Malformed {
                span: span.clone(),
                message,
                help,
            })?;
            (Piece::Reference(body, span), close + 1)
        } else {
            let escaped = usize::from(after.starts_with('$'));
            (Piece::Text("$".into()), dollar + 1 + escaped)
        };
        if dollar > at {
            pieces.push(Piece::Text(text[at..dollar].into()));
        }
        pieces.push(piece);
        at = end;
    }
    if at < text.len() || text.is_empty() {
        pieces.push(Piece::Text(text[at..].into()));
    }
    Ok(pieces)
}

/// The reference that is the whole text.
pub(crate) fn whole(text: &str) -> Option<Reference<'_>> {
    if !text.starts_with("${") {
        return None;
    }
    let [piece] = <[Piece<'_>; 1]>::try_from(parse(text).ok()?).ok()?;
    match piece {
        Piece::Reference(reference, _) => Some(reference),
        Piece::Text(_) => None,
    }
}

fn closing_brace(text: &str, dollar: usize) -> Result<usize, Malformed> {
    let mut depth = 0_usize;
    for (i, byte) in text.bytes().enumerate().skip(dollar + 1) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok(i);
        }
    }
    Err(Malformed {
        span: dollar..text.len(),
        message: "a reference lacks its closing `}`".to_owned(),
        help: Some("write `$$` for a plain `$`".to_owned()),
    })
}

type Advice = (String, Option<String>);

fn reference(body: &str, offset: usize) -> Result<Reference<'_>, Advice> {
    if let Some(path) = body.strip_prefix("file:") {
        let named = !path.is_empty();
        return named
            .then_some(Reference::File(path, offset + "file:".len()))
            .ok_or_else(|| ("`${file:}` names no file".to_owned(), None));
    }
    let (space, rest) = body.split_once('.').unwrap_or((body, ""));
    match space {
        "params" if is_path(rest) => Ok(Reference::Params(rest.split('.').collect())),
        "params" if rest.contains("${") => Ok(Reference::ParamsBy(rest, offset + "params.".len())),
        "matrix" if is_name(rest) => Ok(Reference::Matrix(rest)),
        "env" => {
            let (name, default) = match rest.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (rest, None),
            };
            is_name(name)
                .then_some(Reference::Env(name, default))
                .ok_or_else(|| malformed(body))
        }
        "params" | "matrix" => Err(malformed(body)),
        _ => Err(unknown_space(body, space)),
    }
}

fn is_path(text: &str) -> bool {
    text.split('.').all(is_name)
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    !text.is_empty() && text.chars().all(allowed)
}

fn malformed(body: &str) -> Advice {
    let help = "a reference is `${params.x.y}`, `${matrix.axis}`, `${env.NAME}`, \
                `${env.NAME:-default}` or `${file:PATH}`";
    (
        format!("`${{{body}}}` is not a reference"),
        Some(help.to_owned()),
    )
}

fn unknown_space(body: &str, space: &str) -> Advice {
    let (message, help) = malformed(body);
    match nearest_name(space, SPACES.into_iter()) {
        Some(near) => {
            let rest = &body[space.len()..];
            (message, Some(format!("did you mean `${{{near}{rest}}}`?")))
        }
        None => (message, help),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_at_references() {
        let pieces = parse("a-${params.x.y}/${env.HOME:-/root}").unwrap();
        assert_eq!(
            pieces,
            [
                Piece::Text("a-".into()),
                Piece::Reference(Reference::Params(vec!["x", "y"]), 2..15),
                Piece::Text("/".into()),
                Piece::Reference(Reference::Env("HOME", Some("/root")), 16..34),
            ]
        );
    }

    #[test]
    fn a_path_may_hold_references() {
        let pieces = parse("${file:data/${params.set}.csv}").unwrap();
        let reference = Reference::File("data/${params.set}.csv", 7);
        assert_eq!(pieces, [Piece::Reference(reference, 0..30)]);
    }

    #[test]
    fn a_key_may_be_a_reference() {
        let pieces = parse("${params.gpus.${matrix.gpu}}").unwrap();
        let reference = Reference::ParamsBy("gpus.${matrix.gpu}", 9);
        assert_eq!(pieces, [Piece::Reference(reference, 0..28)]);
    }

    #[test]
    fn doubled_dollars_are_plain_ones() {
        let text = |t: &str| -> String {
            let pieces = parse(t).unwrap();
            let texts = pieces.iter().map(|p| match p {
                Piece::Text(text) => text.as_ref(),
                Piece::Reference(..) => panic!("a reference"),
            });
            texts.collect()
        };
        assert_eq!(text("$${params.x}"), "${params.x}");
        assert_eq!(text("5$ and $$"), "5$ and $");
        assert_eq!(text(""), "");
    }

    #[test]
    fn malformed_references_are_told_apart() {
        assert_eq!(parse("x ${params.a").unwrap_err().span, 2..12);
        let near = parse("${param.a}").unwrap_err();
        assert_eq!(near.help.unwrap(), "did you mean `${params.a}`?");
        assert!(parse("${params}").is_err());
        assert!(parse("${matrix.a.b}").is_err());
        assert!(parse("${file:}").is_err());
    }
}
