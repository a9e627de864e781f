use std::ops::Range;

use super::layers::{Layers, Spot};
use super::spans::Part;
use crate::diagnostic::{Diagnostic, Place};

/// Collects what is wrong, and knows where in the files it is.
pub(crate) struct Report<'a> {
    layers: &'a Layers,
    pub(crate) problems: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(layers: &'a Layers) -> Self {
        Self {
            layers,
            problems: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, problem: Diagnostic) {
        let place = problem.labels.first().map(|label| &label.place);
        let files = &self.layers.files;
        if !place.is_some_and(|place| files.iter().any(|file| file.swallows(place))) {
            self.problems.push(problem);
        }
    }

    /// Reports something about an entry of the document.
    pub(crate) fn at(&mut self, problem: Diagnostic, path: &[String], part: Part, text: &str) {
        let problem = self.labelled(problem, path, part, text);
        self.push(problem);
    }

    /// Adds a label for an entry; what stands in no file is named in the message instead.
    pub(crate) fn labelled(
        &self,
        problem: Diagnostic,
        path: &[String],
        part: Part,
        text: &str,
    ) -> Diagnostic {
        match self.layers.spot(path, part) {
            Spot::File { place, in_profile } => {
                let profile = self.layers.profile.as_ref();
                let profile = profile.filter(|_| in_profile && text.is_empty());
                let text = profile.map_or(text.to_owned(), |name| format!("in profile `{name}`"));
                problem.label(place, text)
            }
            Spot::Outside(outside) => Diagnostic {
                message: format!("{} (from {outside})", problem.message),
                ..problem
            },
            Spot::Nowhere => problem,
        }
    }

    /// Reports something about a stretch of a string of the document.
    pub(crate) fn in_text(
        &mut self,
        problem: Diagnostic,
        path: &[String],
        text: &str,
        span: Range<usize>,
    ) {
        match self.place_in_text(path, text, span) {
            Some(place) => self.push(problem.label(place, "")),
            None => self.at(problem, path, Part::Value, ""),
        }
    }

    /// Where a stretch of a string stands; the whole string when escapes have moved it.
    pub(crate) fn place_in_text(
        &self,
        path: &[String],
        text: &str,
        span: Range<usize>,
    ) -> Option<Place> {
        let Spot::File { place, .. } = self.layers.spot(path, Part::Value) else {
            return None;
        };
        let written = &place.source.text[place.span.clone()];
        let quotes = written.len().saturating_sub(text.len()) / 2;
        if written.get(quotes..quotes + text.len()) != Some(text) {
            return Some(place);
        }
        let start = place.span.start + quotes;
        Some(Place {
            span: start + span.start..start + span.end,
            ..place
        })
    }
}
