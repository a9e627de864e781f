use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use figment::value::Dict;
use toml::de::DeTable;

use super::spans::Entry;
use super::{syntax, toml_value};
use crate::diagnostic::{Diagnostic, Place, SourceText};

/// A TOML file, parsed once: values for the layers, spans for the messages.
pub(crate) struct SourceFile {
    pub(crate) text: Arc<SourceText>,
    pub(crate) entries: Entry,
    pub(crate) values: Dict,
    pub(crate) doubt: Doubt,
    swallowed: Vec<Range<usize>>,
}

/// What syntax errors or missing files may have swallowed: nothing is said about the absence of
/// such things.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    /// Stages or params as a whole may be missing.
    pub(crate) names: bool,
    /// Parts of the parameters may be missing.
    pub(crate) params: bool,
    /// Parts of these stages may be missing.
    pub(crate) stages: BTreeSet<String>,
}

impl SourceFile {
    /// Parses a file; errors are reported and the rest is kept.
    pub(crate) fn parse(text: SourceText, problems: &mut Vec<Diagnostic>) -> Self {
        let text = Arc::new(text);
        let (table, errors) = DeTable::parse_recoverable(&text.text);
        let entries = Entry::root(&table);
        let place = |span: Range<usize>| Place {
            source: Arc::clone(&text),
            span,
        };
        let mut doubt = Doubt::default();
        let mut swallowed = Vec::new();
        for error in syntax::worth_showing(&text, &entries, errors) {
            doubt.around(&text.text, &entries, error.span.start);
            swallowed.push(error.swallowed);
            let problem = Diagnostic::new("sbt::toml::syntax", error.message);
            problems.push(problem.label(place(error.span), ""));
        }
        let mut unfit = Vec::new();
        let values = toml_value::dict(table.get_ref(), &mut unfit);
        // What is no number at all was said before.
        unfit.retain(|number| !swallowed.iter().any(|s| overlap(s, &number.span)));
        for number in unfit {
            doubt.around(&text.text, &entries, number.span.start);
            let problem = Diagnostic::new("sbt::toml::number", number.message);
            problems.push(problem.label(place(number.span), ""));
        }
        Self {
            text: Arc::clone(&text),
            entries,
            values,
            doubt,
            swallowed,
        }
    }

    /// Whether a place is within what a syntax error swallowed.
    pub(crate) fn swallows(&self, place: &Place) -> bool {
        let here = place.source.index == self.text.index;
        here && self.swallowed.iter().any(|s| overlap(s, &place.span))
    }

    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        Place {
            source: Arc::clone(&self.text),
            span,
        }
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

impl Doubt {
    /// Doubts the section that an error stands in: the one that begins last before it. A header
    /// that is wrong casts no doubt on the section before.
    fn around(&mut self, text: &str, entries: &Entry, offset: usize) {
        self.names = true;
        let before = &text.as_bytes()[..offset.min(text.len())];
        let newline = before.iter().rposition(|byte| *byte == b'\n');
        let line = newline.map_or(0, |newline| newline + 1);
        let is_header = text[line..].trim_start().starts_with('[');
        let last_before = |table: &Entry| -> Option<(usize, String)> {
            let sections = table.names().into_iter();
            let starts = sections.filter_map(|name| Some((table.child(name)?.key.start, name)));
            let before = starts.take_while(|(start, _)| *start <= offset);
            let last = before
                .last()
                .filter(|(start, _)| !is_header || *start >= line);
            last.map(|(start, name)| (start, name.to_owned()))
        };
        let stage = entries.child("stages").and_then(last_before);
        let params = entries.child("params").map(|params| params.key.start);
        match stage {
            Some((start, name)) if params.is_none_or(|p| p < start || p > offset) => {
                self.stages.insert(name);
            }
            None if is_header && params.is_some_and(|p| p < line) => {}
            Some(_) | None => self.params = true,
        }
    }

    pub(crate) fn extend(&mut self, other: &Doubt) {
        self.names |= other.names;
        self.params |= other.params;
        self.stages.extend(other.stages.iter().cloned());
    }
}
