use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use figment::value::Value;
use serde_json::Value as Json;

use super::layers::Layers;
use super::load::LoadOptions;
use super::params::Open;
use super::reference::{self, Malformed, Piece, Reference};
use super::report::Report;
use super::toml_value;
use super::trail::Trail;
use crate::diagnostic::Diagnostic;
use crate::params::nearest_name;

/// Puts values in the place of references, and reports those that name nothing.
pub(crate) struct Resolver<'a> {
    pub(crate) layers: &'a Layers,
    pub(crate) report: Report<'a>,
    env: &'a BTreeMap<String, String>,
    folder: &'a Path,
    runs: &'a BTreeMap<String, PathBuf>,
    /// Parameters resolved so far, by their dotted path and whether what the machine lacks was
    /// let pass; none for what cannot be.
    pub(crate) known: BTreeMap<(String, bool), Option<Rc<Resolved>>>,
    /// References to parameters that are being followed.
    pub(crate) open: Vec<Open>,
}

/// A value without references, and what it took to get it.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) value: Json,
    pub(crate) uses: Uses,
}

/// What enters a key besides the values themselves.
#[derive(Debug, Default, Clone)]
pub(crate) struct Uses {
    pub(crate) env: BTreeSet<String>,
    /// Files in the order of their first use, as absolute paths.
    pub(crate) files: Vec<PathBuf>,
}

/// Values of a matrix's axes.
pub(crate) type Axes = BTreeMap<String, Json>;

/// What surrounds a value that is being resolved.
pub(crate) struct Scope<'s> {
    /// Axes of the stage instance; none outside of stages.
    pub(crate) axes: Option<&'s Axes>,
    /// The value will not be used: variables and files that the machine lacks are no errors.
    pub(crate) idle: bool,
    pub(crate) uses: Uses,
}

/// A reference in a string of the document.
#[derive(Clone, Copy)]
pub(crate) struct Site<'s> {
    pub(crate) trail: &'s Trail<'s>,
    pub(crate) text: &'s str,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Uses {
    pub(crate) fn extend(&mut self, other: &Uses) {
        self.env.extend(other.env.iter().cloned());
        for file in &other.files {
            self.file(file.clone());
        }
    }

    fn file(&mut self, path: PathBuf) {
        if !self.files.contains(&path) {
            self.files.push(path);
        }
    }
}

impl<'s> Scope<'s> {
    pub(crate) fn new(axes: Option<&'s Axes>) -> Self {
        Self {
            axes,
            idle: false,
            uses: Uses::default(),
        }
    }
}

impl<'s> Site<'s> {
    fn at(trail: &'s Trail<'s>, text: &'s str, span: Range<usize>) -> Self {
        Self {
            trail,
            text,
            start: span.start,
            end: span.end,
        }
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The reference itself, for a value that nobody will use.
    fn written(&self) -> &'s str {
        &self.text[self.span()]
    }
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(layers: &'a Layers, options: &'a LoadOptions, folder: &'a Path) -> Self {
        Self {
            layers,
            report: Report::new(layers),
            env: &options.env,
            folder,
            runs: &options.runs,
            known: BTreeMap::new(),
            open: Vec::new(),
        }
    }

    /// A value with all references resolved; none when one could not be, which is reported.
    pub(crate) fn resolve(
        &mut self,
        value: &Value,
        trail: &Trail<'_>,
        scope: &mut Scope<'_>,
    ) -> Option<Json> {
        match value {
            Value::String(_, text) => self.text(text, trail, scope),
            Value::Dict(_, entries) => {
                let mut resolved = serde_json::Map::with_capacity(entries.len());
                // To the end, so that each entry's errors are seen.
                for (key, value) in entries {
                    if let Some(value) = self.resolve(value, &trail.key(key), scope) {
                        resolved.insert(key.clone(), value);
                    }
                }
                (resolved.len() == entries.len()).then_some(Json::Object(resolved))
            }
            Value::Array(_, items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for (i, item) in items.iter().enumerate() {
                    resolved.extend(self.resolve(item, &trail.item(i), scope));
                }
                (resolved.len() == items.len()).then_some(Json::Array(resolved))
            }
            Value::Char(..) | Value::Bool(..) | Value::Num(..) | Value::Empty(..) => {
                Some(toml_value::json(value))
            }
        }
    }

    pub(crate) fn text(
        &mut self,
        text: &str,
        trail: &Trail<'_>,
        scope: &mut Scope<'_>,
    ) -> Option<Json> {
        if !text.contains('$') {
            return Some(Json::String(text.to_owned()));
        }
        self.pieces(text, Site::at(trail, text, 0..text.len()), scope)
    }

    /// Resolves a stretch of a text, which begins at the site's start.
    fn pieces(&mut self, part: &str, site: Site<'_>, scope: &mut Scope<'_>) -> Option<Json> {
        let pieces = match reference::parse(part) {
            Ok(pieces) => pieces,
            Err(malformed) => {
                self.malformed(malformed, site);
                return None;
            }
        };
        let mut joined = String::new();
        let mut complete = true;
        for piece in &pieces {
            let (reference, span) = match piece {
                Piece::Text(plain) => {
                    joined.push_str(plain);
                    continue;
                }
                Piece::Reference(reference, span) => (reference, span),
            };
            let span = site.start + span.start..site.start + span.end;
            let site = Site::at(site.trail, site.text, span);
            let value = self.reference(reference, site, scope);
            if pieces.len() == 1 {
                return value;
            }
            match value.and_then(|value| self.scalar(value, site)) {
                Some(plain) => joined.push_str(&plain),
                None => complete = false,
            }
        }
        complete.then_some(Json::String(joined))
    }

    fn reference(
        &mut self,
        reference: &Reference<'_>,
        site: Site<'_>,
        scope: &mut Scope<'_>,
    ) -> Option<Json> {
        match reference {
            Reference::Params(keys) => {
                let found = self.param(keys, site, scope.idle)?;
                scope.uses.extend(&found.uses);
                Some(found.value.clone())
            }
            Reference::ParamsBy(path, offset) => self.param_by(path, *offset, site, scope),
            Reference::Matrix(axis) => {
                let value = scope.axes.and_then(|axes| axes.get(*axis)).cloned();
                if value.is_none() {
                    self.unknown_axis(axis, scope.axes, site);
                }
                value
            }
            Reference::Env(name, default) => {
                scope.uses.env.insert((*name).to_owned());
                let value = self.env.get(*name).map(String::as_str).or(*default);
                let value = value.or(scope.idle.then(|| site.written()));
                if value.is_none() {
                    self.unset(name, site);
                }
                value.map(Json::from)
            }
            Reference::File(path, offset) => self.file(path, *offset, site, scope),
        }
    }

    /// The path inside a reference, whose pieces are references themselves.
    fn path(
        &mut self,
        path: &str,
        offset: usize,
        site: Site<'_>,
        scope: &mut Scope<'_>,
    ) -> Option<String> {
        let start = site.start + offset;
        let inner = Site::at(site.trail, site.text, start..start + path.len());
        let path = self.pieces(path, inner, scope)?;
        self.scalar(path, site)
    }

    /// A parameter whose keys are references themselves.
    fn param_by(
        &mut self,
        path: &str,
        offset: usize,
        site: Site<'_>,
        scope: &mut Scope<'_>,
    ) -> Option<Json> {
        let path = self.path(path, offset, site, scope)?;
        let keys: Vec<&str> = path.split('.').collect();
        let found = self.param(&keys, site, scope.idle)?;
        scope.uses.extend(&found.uses);
        Some(found.value.clone())
    }

    fn file(
        &mut self,
        path: &str,
        offset: usize,
        site: Site<'_>,
        scope: &mut Scope<'_>,
    ) -> Option<Json> {
        let path = self.path(path, offset, site, scope)?;
        let found = self.existing(Path::new(&path));
        // JSON holds no path that is not Unicode.
        let text = found.as_deref().and_then(Path::to_str).map(Json::from);
        match (found, text) {
            (Some(found), Some(text)) => {
                scope.uses.file(found);
                Some(text)
            }
            (None, _) if scope.idle => Some(Json::from(site.written())),
            (_, _) => {
                let problem = Diagnostic::new("sbt::file::missing", format!("no file `{path}`"));
                self.report_at(site, problem.help(PATHS.to_owned()));
                None
            }
        }
    }

    /// A file as an absolute path: from the pipeline's folder, else from the working directory.
    pub(crate) fn existing(&self, path: &Path) -> Option<PathBuf> {
        let tries = [self.folder.join(path), path.to_owned()];
        let found = tries.into_iter().find(|path| path.is_file())?;
        std::path::absolute(found).ok()
    }

    /// The same of a folder, or of the results of a run of that name.
    pub(crate) fn existing_folder(&self, path: &Path) -> Option<PathBuf> {
        let run = path.to_str().and_then(|name| self.runs.get(name)).cloned();
        let tries = [self.folder.join(path), path.to_owned()];
        let found = tries.into_iter().chain(run).find(|path| path.is_dir())?;
        std::path::absolute(found).ok()
    }

    fn scalar(&mut self, value: Json, site: Site<'_>) -> Option<String> {
        match value {
            Json::String(text) => Some(text),
            Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
            Json::Null | Json::Array(_) | Json::Object(_) => {
                let problem = Diagnostic::new(
                    "sbt::reference::type",
                    "a table or list cannot stand inside a longer text",
                );
                let help = "a reference keeps its type when it is the whole string";
                self.report_at(site, problem.help(help.to_owned()));
                None
            }
        }
    }

    pub(crate) fn report_at(&mut self, site: Site<'_>, problem: Diagnostic) {
        let path = site.trail.keys();
        self.report.in_text(problem, &path, site.text, site.span());
    }

    fn malformed(&mut self, malformed: Malformed, site: Site<'_>) {
        let problem = Diagnostic::new("sbt::reference::malformed", malformed.message);
        let span = site.start + malformed.span.start..site.start + malformed.span.end;
        let site = Site::at(site.trail, site.text, span);
        self.report_at(site, problem.help(malformed.help));
    }

    fn unset(&mut self, name: &str, site: Site<'_>) {
        let problem = Diagnostic::new(
            "sbt::reference::env",
            format!("the environment variable {name} is not set"),
        );
        let help = format!("set it, or give a default: `${{env.{name}:-…}}`");
        self.report_at(site, problem.help(help));
    }

    fn unknown_axis(&mut self, axis: &str, axes: Option<&Axes>, site: Site<'_>) {
        let problem = Diagnostic::new(
            "sbt::reference::unknown",
            format!("there is no matrix axis `{axis}` here"),
        );
        let names: Vec<&str> = axes
            .into_iter()
            .flat_map(|a| a.keys())
            .map(String::as_str)
            .collect();
        let near = nearest_name(axis, names.iter().copied());
        let help = match (axes, near) {
            (None, _) => "only a stage with a `matrix` has axes".to_owned(),
            (Some(_), Some(near)) => format!("did you mean `${{matrix.{near}}}`?"),
            (Some(_), None) if names.is_empty() => {
                format!("add `matrix = {{ {axis} = […] }}` to the stage")
            }
            (Some(_), None) => format!("the stage's axes are: {}", names.join(", ")),
        };
        self.report_at(site, problem.help(help));
    }
}

/// Where files are looked for.
pub(crate) const PATHS: &str =
    "relative paths count from the pipeline's folder, else from the working directory";
