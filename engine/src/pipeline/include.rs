use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::Value;

use super::source::{Doubt, SourceFile};
use super::spans::Part;
use crate::diagnostic::{Diagnostic, Place, SourceText};

/// A pipeline file and all that it includes, each once.
#[derive(Default)]
pub(crate) struct Files {
    /// Lowest layer first: what is included stands before what includes it.
    pub(crate) layered: Vec<SourceFile>,
    pub(crate) doubt: Doubt,
    seen: Vec<PathBuf>,
    open: Vec<Open>,
}

/// A file whose includes are being read.
struct Open {
    path: PathBuf,
    /// What names the file; none for the pipeline itself.
    named_at: Option<Place>,
}

impl Files {
    pub(crate) fn read(path: &Path, problems: &mut Vec<Diagnostic>) -> Self {
        let mut files = Self::default();
        files.visit(path, None, problems);
        files
    }

    fn visit(&mut self, path: &Path, named_at: Option<Place>, problems: &mut Vec<Diagnostic>) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.doubt.names = true;
                self.doubt.params = true;
                problems.push(unreadable(path, named_at, &error));
                return;
            }
        };
        // Two spellings of one file are one file.
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(from) = self.open.iter().position(|open| open.path == identity) {
            problems.push(cycle(&self.open[from..], named_at));
            return;
        }
        if self.seen.contains(&identity) {
            return;
        }
        let text = SourceText {
            path: path.to_owned(),
            text,
            index: self.seen.len(),
        };
        self.seen.push(identity.clone());
        let file = SourceFile::parse(text, problems);
        self.open.push(Open {
            path: identity,
            named_at,
        });
        let folder = path.parent().unwrap_or(Path::new(""));
        for (include, place) in includes(&file, problems) {
            self.visit(&folder.join(include), Some(place), problems);
        }
        self.open.pop();
        self.doubt.extend(&file.doubt);
        self.layered.push(file);
    }
}

/// Paths under `include`, each with its place.
fn includes(file: &SourceFile, problems: &mut Vec<Diagnostic>) -> Vec<(String, Place)> {
    let (Some(list), Some(entry)) = (file.values.get("include"), file.entries.child("include"))
    else {
        return Vec::new();
    };
    let items = match list {
        Value::Array(_, items) => items.as_slice(),
        Value::String(..)
        | Value::Char(..)
        | Value::Bool(..)
        | Value::Num(..)
        | Value::Empty(..)
        | Value::Dict(..) => {
            problems.push(
                Diagnostic::new("sbt::document::type", "`include` must be a list of paths")
                    .label(file.place(entry.span(Part::Value)), "expected a list")
                    .help("write `include = [\"parts/decide.toml\"]`".to_owned()),
            );
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let span = entry.child(&i.to_string()).unwrap_or(entry).value.clone();
        let place = file.place(span);
        match item.as_str() {
            Some(path) => paths.push((path.to_owned(), place)),
            None => problems.push(
                Diagnostic::new("sbt::document::type", "an include must be a path")
                    .label(place, "expected a string"),
            ),
        }
    }
    paths
}

fn unreadable(path: &Path, named_at: Option<Place>, error: &std::io::Error) -> Diagnostic {
    let problem = Diagnostic::new(
        "sbt::file::unreadable",
        format!("cannot read {}: {error}", path.display()),
    );
    match named_at {
        Some(place) => problem.label(place, "included here"),
        None => problem,
    }
}

fn cycle(open: &[Open], closes_at: Option<Place>) -> Diagnostic {
    let mut problem = Diagnostic::new("sbt::include::cycle", "files include each other");
    if let Some(place) = closes_at {
        problem = problem.label(place, "closes the cycle");
    }
    // What names the first file of the cycle stands outside of it.
    for place in open.iter().skip(1).filter_map(|open| open.named_at.clone()) {
        let text = format!("`{}` is included here", name_at(&place));
        problem = problem.label(place, text);
    }
    problem.help("remove one of the includes".to_owned())
}

fn name_at(place: &Place) -> &str {
    let source: &Arc<SourceText> = &place.source;
    source.text[place.span.clone()].trim_matches(['"', '\''])
}
