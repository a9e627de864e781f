use std::path::Path;

use figment::value::{Dict, Value};

use super::layers::Layers;
use super::report::Report;
use super::source::SourceFile;
use super::spans::{Entry, Part};
use super::trail::keys;
use crate::diagnostic::{Diagnostic, Place};
use crate::params::nearest_name;

/// Keys of a pipeline.
pub(crate) const DOCUMENT_KEYS: [&str; 6] = [
    "name",
    "description",
    "include",
    "params",
    "profile",
    "stages",
];
/// Keys of a stage that belong to the engine, and `with`, which belongs to the kind.
pub(crate) const STAGE_KEYS: [&str; 8] = [
    "uses", "with", "inputs", "matrix", "timeout", "retries", "cache", "when",
];
/// What a profile may override.
const PROFILE_KEYS: [&str; 2] = ["params", "stages"];

/// The parts of a document whose shape is right.
pub(crate) struct Document<'a> {
    pub(crate) name: String,
    pub(crate) description: String,
    /// In the order of the files.
    pub(crate) stages: Vec<(&'a str, &'a Dict)>,
}

impl<'a> Document<'a> {
    pub(crate) fn read(layers: &'a Layers, path: &Path, report: &mut Report<'_>) -> Self {
        check_root(layers, report);
        check_profiles(layers, report);
        check_overrides(layers, report);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = text(layers, "name", report).unwrap_or_else(|| stem.into_owned());
        if !is_plain(&name) {
            let problem = Diagnostic::new(
                "sbt::document::name",
                format!("`{name}` cannot be a pipeline's name: it names a folder of results"),
            );
            let help = "use letters, digits, `_`, `-` and `.`".to_owned();
            report.at(problem.help(help), &keys(["name"]), Part::Value, "");
        }
        Self {
            name,
            description: text(layers, "description", report).unwrap_or_default(),
            stages: stages(layers, report),
        }
    }
}

fn check_root(layers: &Layers, report: &mut Report<'_>) {
    for name in layers.root().keys() {
        // Keys after a header that is wrong come out at the root.
        let strayed = layers.doubt.names && STAGE_KEYS.contains(&name.as_str());
        if DOCUMENT_KEYS.contains(&name.as_str()) || strayed {
            continue;
        }
        let problem = Diagnostic::new("sbt::document::key", format!("unknown key `{name}`"));
        let params = layers.table("params");
        let help = if params.is_some_and(|params| params.contains_key(name)) {
            format!("did you mean `params.{name}`?")
        } else {
            nearest_or_list(name, &DOCUMENT_KEYS, "a pipeline's keys are")
        };
        let path = [name.clone()];
        report.at(problem.help(help), &path, Part::Key, "");
    }
    for name in ["params", "stages"] {
        let value = layers.root().get(name);
        if value.is_some_and(|value| value.as_dict().is_none()) {
            wrong_type(name, "a table", report);
        }
    }
}

fn text(layers: &Layers, key: &str, report: &mut Report<'_>) -> Option<String> {
    let value = layers.root().get(key)?;
    if value.as_str().is_none() {
        wrong_type(key, "a string", report);
    }
    value.as_str().map(str::to_owned)
}

fn wrong_type(key: &str, expected: &str, report: &mut Report<'_>) {
    let problem = Diagnostic::new("sbt::document::type", format!("`{key}` must be {expected}"));
    report.at(
        problem,
        &keys([key]),
        Part::Value,
        &format!("expected {expected}"),
    );
}

/// Profiles are checked whether chosen or not.
fn check_profiles(layers: &Layers, report: &mut Report<'_>) {
    for file in &layers.files {
        let Some(profiles) = file.entries.child("profile") else {
            continue;
        };
        if !profiles.is_table() {
            not_a_table("`profile`", file.place(profiles.span(Part::Value)), report);
        }
        for profile in profiles.names() {
            let Some(entry) = profiles.child(profile) else {
                continue;
            };
            if entry.is_table() {
                check_profile(layers, file, profile, entry, report);
            } else {
                let what = format!("profile `{profile}`");
                not_a_table(&what, file.place(entry.span(Part::Value)), report);
            }
        }
    }
}

fn not_a_table(what: &str, place: Place, report: &mut Report<'_>) {
    let problem = Diagnostic::new("sbt::document::type", format!("{what} must be a table"));
    report.push(problem.label(place, "expected a table"));
}

fn check_profile(
    layers: &Layers,
    file: &SourceFile,
    profile: &str,
    entry: &Entry,
    report: &mut Report<'_>,
) {
    for section in entry.names() {
        let Some(inside) = entry.child(section) else {
            continue;
        };
        if !PROFILE_KEYS.contains(&section) {
            let problem = Diagnostic::new(
                "sbt::document::key",
                format!("profile `{profile}`: unknown key `{section}`"),
            );
            let help = nearest_or_list(section, &PROFILE_KEYS, "a profile overrides");
            let place = file.place(inside.span(Part::Key));
            report.push(problem.label(place, "").help(help));
            continue;
        }
        for name in inside.names().into_iter().filter(|_| !layers.doubt.names) {
            let Some((what, help)) = undeclared(layers, section, name) else {
                continue;
            };
            let problem = Diagnostic::new(
                "sbt::document::override",
                format!("profile `{profile}` overrides {what}, which the pipeline does not have"),
            );
            let span = inside.child(name).map_or(0..0, |e| e.span(Part::Key));
            report.push(problem.label(file.place(span), "").help(help));
        }
    }
}

/// An override of what no file has is a slip of the pen.
fn check_overrides(layers: &Layers, report: &mut Report<'_>) {
    for set in layers.overrides.iter().filter(|_| !layers.doubt.names) {
        if let Some("include" | "profile") = set.path.first().map(String::as_str) {
            let message = format!("{} cannot override what only files say", set.from);
            report.push(Diagnostic::new("sbt::document::override", message));
        }
        let [section, name, ..] = set.path.as_slice() else {
            continue;
        };
        if let Some((what, help)) = undeclared(layers, section, name) {
            let message = format!(
                "{} overrides {what}, which the pipeline does not have",
                set.from
            );
            report.push(Diagnostic::new("sbt::document::override", message).help(help));
        }
    }
}

/// What a parameter or stage is called that no file declares, with advice.
fn undeclared(layers: &Layers, section: &str, name: &str) -> Option<(String, Option<String>)> {
    if !PROFILE_KEYS.contains(&section) {
        return None;
    }
    let sections = layers.files.iter();
    let sections = sections.filter_map(|file| file.entries.child(section));
    let declared: Vec<&str> = sections.flat_map(Entry::names).collect();
    if declared.contains(&name) {
        return None;
    }
    let near = nearest_name(name, declared.iter().copied());
    let help = near.map(|near| format!("did you mean `{section}.{near}`?"));
    Some((format!("`{section}.{name}`"), help))
}

fn stages<'a>(layers: &'a Layers, report: &mut Report<'_>) -> Vec<(&'a str, &'a Dict)> {
    let Some(table) = layers.table("stages") else {
        if !layers.doubt.names && !layers.root().contains_key("stages") {
            let problem = Diagnostic::new("sbt::document::empty", "the pipeline has no stages");
            let help = "add a table such as `[stages.workload]`".to_owned();
            report.push(problem.help(help));
        }
        return Vec::new();
    };
    let mut stages = Vec::with_capacity(table.len());
    for name in file_order(layers) {
        let Some((name, value)) = table.get_key_value(name) else {
            continue;
        };
        let entries = match layers.doubt.stages.contains(name) {
            true => value.as_dict(),
            false => stage(name, value, report),
        };
        stages.extend(entries.map(|entries| (name.as_str(), entries)));
    }
    stages
}

/// The entries of a stage that can have its name.
fn stage<'a>(name: &str, value: &'a Value, report: &mut Report<'_>) -> Option<&'a Dict> {
    let path = keys(["stages", name]);
    if !is_stage_name(name) {
        let message = format!("`{name}` cannot be a stage's name");
        let help = "use letters, digits, `_` and `-`".to_owned();
        let problem = Diagnostic::new("sbt::document::name", message).help(help);
        report.at(problem, &path, Part::Key, "");
        return None;
    }
    let Some(entries) = value.as_dict() else {
        let message = format!("stage `{name}` must be a table");
        let problem = Diagnostic::new("sbt::document::type", message);
        report.at(problem, &path, Part::Value, "expected a table");
        return None;
    };
    check_stage_keys(name, entries, report);
    Some(entries)
}

/// Names of stages, each at its first appearance.
fn file_order(layers: &Layers) -> Vec<&str> {
    let mut seen = std::collections::BTreeSet::new();
    let sections = layers.files.iter();
    let sections = sections.filter_map(|file| file.entries.child("stages"));
    let names = sections.flat_map(Entry::names);
    names.filter(|name| seen.insert(*name)).collect()
}

fn check_stage_keys(name: &str, entries: &Dict, report: &mut Report<'_>) {
    for key in entries.keys() {
        if STAGE_KEYS.contains(&key.as_str()) {
            continue;
        }
        let problem = Diagnostic::new(
            "sbt::document::key",
            format!("stage `{name}`: unknown key `{key}`"),
        );
        let list = "parameters of the kind go under `with`; the engine's keys are";
        let help = nearest_or_list(key, &STAGE_KEYS, list);
        let path = keys(["stages", name, key]);
        report.at(problem.help(help), &path, Part::Key, "");
    }
}

/// The nearest of some names, else all of them.
pub(crate) fn nearest_or_list(found: &str, names: &[&str], lead: &str) -> String {
    match nearest_name(found, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{lead}: {}", names.join(", ")),
    }
}

fn is_stage_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    !name.is_empty() && name.chars().all(allowed)
}

fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed)
}
