//! What is wrong with a pipeline, for people and for editors.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};

/// A file that was read, as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceText {
    /// Path as the user gave it, or as the include that names it leads there.
    pub path: PathBuf,
    /// Content.
    pub text: String,
    /// Position among the files that were read: the pipeline is 0, its includes follow.
    pub index: usize,
}

impl SourceText {
    /// Line and column of a byte offset, both from 1, columns in characters.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

/// A stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// File.
    pub source: Arc<SourceText>,
    /// Bytes of it.
    pub span: Range<usize>,
}

/// A place with what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What; empty when the message says it all.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable name of this kind of error, such as `sbt::graph::cycle`.
    pub code: &'static str,
    /// What is wrong, as a sentence fragment.
    pub message: String,
    /// Where; the first is the cause, the rest are what it clashes with. None for what stands in
    /// no file.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            labels: Vec::new(),
            help: None,
        }
    }

    /// The same with one more place.
    #[must_use]
    pub fn label(mut self, place: Place, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            place,
            text: text.into(),
        });
        self
    }

    /// The same with advice, if there is any.
    #[must_use]
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into().or(self.help);
        self
    }

    /// What stands first in a report: what is in no file, then by file and offset.
    fn rank(&self) -> Option<(usize, usize)> {
        let first = &self.labels.first()?.place;
        Some((first.source.index, first.span.start))
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut group = Level::ERROR
            .primary_title(self.message.as_str())
            .id(self.code)
            .elements(self.snippets());
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }

    /// One snippet per file, in the order in which the labels name them.
    fn snippets(&self) -> Vec<Snippet<'_, annotate_snippets::Annotation<'_>>> {
        let mut sources: Vec<&Arc<SourceText>> = Vec::new();
        for label in &self.labels {
            if !sources.iter().any(|s| s.index == label.place.source.index) {
                sources.push(&label.place.source);
            }
        }
        let snippet = |source: &'_ Arc<SourceText>| {
            let labels = self.labels.iter().enumerate();
            let here = labels.filter(move |(_, l)| l.place.source.index == source.index);
            here.map(|(i, label)| {
                let kind = match i {
                    0 => AnnotationKind::Primary,
                    _ => AnnotationKind::Context,
                };
                let text = (!label.text.is_empty()).then_some(label.text.as_str());
                kind.span(label.place.span.clone()).label(text)
            })
            .collect::<Vec<_>>()
        };
        let snippets = sources.into_iter().map(|source| {
            Snippet::source(source.text.as_str())
                .path(source.path.to_string_lossy())
                .annotations(snippet(source))
        });
        snippets.collect()
    }

    /// The diagnostic for programs: lines and columns count from 1.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let labels = self.labels.iter().map(|label| {
            let Place { source, span } = &label.place;
            let ((line, column), (end_line, end_column)) =
                (source.position(span.start), source.position(span.end));
            json!({
                "file": source.path.to_string_lossy(),
                "line": line, "column": column,
                "end_line": end_line, "end_column": end_column,
                "text": label.text,
            })
        });
        json!({
            "code": self.code,
            "message": self.message,
            "labels": labels.collect::<Vec<_>>(),
            "help": self.help,
        })
    }
}

/// Everything that is wrong, by file and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Sorts, and drops what would be said twice: instances of a matrix share their text.
    #[must_use]
    pub fn sorted(mut found: Vec<Diagnostic>) -> Self {
        found.sort_by_key(Diagnostic::rank);
        let mut kept: Vec<Diagnostic> = Vec::with_capacity(found.len());
        for diagnostic in found {
            let rank = diagnostic.rank();
            let mut alike = kept.iter().rev().take_while(|k| k.rank() == rank);
            if !alike.any(|k| *k == diagnostic) {
                kept.push(diagnostic);
            }
        }
        Self(kept)
    }

    /// For a terminal, in the manner of rustc.
    #[must_use]
    pub fn render(&self, coloured: bool) -> String {
        let renderer = if coloured {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let texts: Vec<String> = self.0.iter().map(|d| d.render(&renderer)).collect();
        texts.join("\n\n")
    }

    /// For programs: a list with line and column numbers, both from 1.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.0.iter().map(Diagnostic::to_json).collect()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
