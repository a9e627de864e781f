use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use figment::value::Dict;
use toml::de::DeTable;

use super::spans::Entry;
use super::toml_value;
use crate::diagnostic::{Diagnostic, Place, SourceText};

/// A TOML file, parsed once: values for the layers, spans for the messages.
pub(crate) struct SourceFile {
    pub(crate) text: Arc<SourceText>,
    pub(crate) entries: Entry,
    pub(crate) values: Dict,
    pub(crate) doubt: Doubt,
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
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            doubt.around(&entries, span.start);
            let problem = Diagnostic::new("sbt::toml::syntax", error.message());
            problems.push(problem.label(place(span), ""));
        }
        let mut unfit = Vec::new();
        let values = toml_value::dict(table.get_ref(), &mut unfit);
        for number in unfit {
            doubt.around(&entries, number.span.start);
            let problem = Diagnostic::new("sbt::toml::number", number.message);
            problems.push(problem.label(place(number.span), ""));
        }
        Self {
            text: Arc::clone(&text),
            entries,
            values,
            doubt,
        }
    }

    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        Place {
            source: Arc::clone(&self.text),
            span,
        }
    }
}

impl Doubt {
    /// Doubts the section that an error stands in: the one that begins last before it.
    fn around(&mut self, entries: &Entry, offset: usize) {
        self.names = true;
        let section = |entry: &Entry| {
            let mut before: Vec<(usize, String)> = Vec::new();
            for name in entry.names() {
                let start = entry
                    .child(name)
                    .map_or(usize::MAX, |child| child.key.start);
                if start <= offset {
                    before.push((start, name.to_owned()));
                }
            }
            before.pop()
        };
        let stage = entries.child("stages").and_then(section);
        match (stage, section(entries)) {
            (Some((start, stage)), Some((top, name))) if name == "stages" || start > top => {
                self.stages.insert(stage);
            }
            _ => self.params = true,
        }
    }

    pub(crate) fn extend(&mut self, other: &Doubt) {
        self.names |= other.names;
        self.params |= other.params;
        self.stages.extend(other.stages.iter().cloned());
    }
}
