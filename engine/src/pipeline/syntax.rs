use std::collections::BTreeSet;
use std::ops::Range;

use super::spans::Entry;
use crate::diagnostic::SourceText;

/// A syntax error that a person should see.
pub(crate) struct SyntaxError {
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    /// What the error swallowed: nothing in there is as it seems.
    pub(crate) swallowed: Range<usize>,
}

/// The first error of each line, without those that only follow from a bracket that was never
/// closed.
pub(crate) fn worth_showing(
    text: &SourceText,
    root: &Entry,
    errors: Vec<toml::de::Error>,
) -> Vec<SyntaxError> {
    let errors = errors.into_iter().map(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().to_owned();
        let opened = message
            .starts_with("unclosed")
            .then(|| unclosed(root, span.start))
            .flatten();
        match opened {
            Some(opened) => SyntaxError {
                span: opened.start..opened.start + 1,
                message,
                swallowed: opened.start..span.end,
            },
            None => SyntaxError {
                swallowed: span.clone(),
                span,
                message,
            },
        }
    });
    let mut errors: Vec<SyntaxError> = errors.collect();
    errors.sort_by_key(|error| {
        (
            error.swallowed.start,
            std::cmp::Reverse(error.swallowed.end),
        )
    });
    let mut lines = BTreeSet::new();
    let mut end = 0;
    errors.retain(|error| {
        let follows = error.swallowed.start < end;
        end = end.max(error.swallowed.end);
        !follows && lines.insert(text.position(error.span.start).0)
    });
    errors
}

/// The outermost list or table in brackets that was still open at an offset.
fn unclosed(entry: &Entry, offset: usize) -> Option<Range<usize>> {
    entry.names().into_iter().find_map(|name| {
        let child = entry.child(name)?;
        let is_open = child.is_bracketed() && child.value.start < offset;
        if is_open && child.value.end >= offset {
            return Some(child.value.clone());
        }
        unclosed(child, offset)
    })
}
