use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::include::Files;
use super::load::LoadOptions;
use super::overrides::{self, Outside, Override};
use super::source::{Doubt, SourceFile};
use super::spans::{Entry, Part};
use crate::diagnostic::{Diagnostic, Place};
use crate::params::nearest_name;

/// All layers of a pipeline, merged, with the way back from a value to where it was written.
pub(crate) struct Layers {
    /// Lowest first.
    pub(crate) files: Vec<SourceFile>,
    pub(crate) overrides: Vec<Override>,
    pub(crate) doubt: Doubt,
    pub(crate) profile: Option<String>,
    figment: Figment,
    merged: Value,
}

/// Where a value was written.
#[derive(Debug, Clone)]
pub(crate) enum Spot {
    File {
        place: Place,
        /// Whether under the chosen profile.
        in_profile: bool,
    },
    Outside(Outside),
    Nowhere,
}

/// One layer as figment takes it: its number tells later which layer a value is of.
struct Layer {
    number: usize,
    data: Map<Profile, Dict>,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::from("layer", Source::Custom(self.number.to_string()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(self.data.clone())
    }
}

impl Layers {
    pub(crate) fn build(
        files: Files,
        options: &LoadOptions,
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut overrides = overrides::from_environment(&options.env);
        for argument in &options.sets {
            match overrides::from_set(argument) {
                Ok(set) => overrides.push(set),
                Err(problem) => problems.push(problem),
            }
        }
        let profile = options.profile.as_ref();
        let profile = profile.filter(|name| profile_exists(&files, name, problems));
        let mut figment = Figment::new();
        for (number, file) in files.layered.iter().enumerate() {
            let data = file_data(file, profile.map(String::as_str));
            figment = figment.merge(Layer { number, data });
        }
        for (i, set) in overrides.iter().enumerate() {
            let data = Map::from([(Profile::Global, set.nested())]);
            let number = files.layered.len() + i;
            figment = figment.merge(Layer { number, data });
        }
        if let Some(name) = profile {
            figment = figment.select(figment_profile(name));
        }
        let merged = figment.find_value("");
        let merged = merged.expect("no layer gives an error, and the empty path is the root");
        Self {
            files: files.layered,
            doubt: files.doubt,
            profile: profile.cloned(),
            overrides,
            figment,
            merged,
        }
    }

    /// The merged document.
    pub(crate) fn root(&self) -> &Dict {
        self.merged.as_dict().expect("figment's root is a table")
    }

    /// A table of the document's root; none when it is missing or no table.
    pub(crate) fn table(&self, name: &str) -> Option<&Dict> {
        self.root().get(name)?.as_dict()
    }

    pub(crate) fn find(&self, path: &[String]) -> Option<&Value> {
        path.iter().try_fold(&self.merged, |at, key| child(at, key))
    }

    /// Where the value of a path was written; of a table or of what is missing: the nearest
    /// entry that a file has.
    pub(crate) fn spot(&self, path: &[String], part: Part) -> Spot {
        let value = self.find(path);
        if let Some(scalar) = value.filter(|value| value.as_dict().is_none()) {
            return self.spot_of_layer(scalar.tag(), path, part);
        }
        let deepest = self.deepest(path, part);
        match (value, deepest) {
            (Some(_), Some((depth, spot))) if depth == path.len() => spot,
            (Some(table), _) => self.spot_of_layer(table.tag(), path, part),
            (None, Some((_, spot))) => spot,
            (None, None) => Spot::Nowhere,
        }
    }

    fn spot_of_layer(&self, tag: Tag, path: &[String], part: Part) -> Spot {
        let Some(number) = self.layer_number(tag) else {
            return Spot::Nowhere;
        };
        let Some(file) = self.files.get(number) else {
            let set = &self.overrides[number - self.files.len()];
            return Spot::Outside(set.from.clone());
        };
        // Figment tells default and global apart from every other profile.
        let profile = self.profile.as_deref().filter(|_| tag.profile().is_none());
        match deepest_in(&file.entries, profile, path) {
            Some((_, entry)) => Spot::File {
                place: file.place(entry.span(part)),
                in_profile: profile.is_some(),
            },
            None => Spot::Nowhere,
        }
    }

    fn layer_number(&self, tag: Tag) -> Option<usize> {
        let metadata = self.figment.get_metadata(tag)?;
        metadata.source.as_ref()?.custom()?.parse().ok()
    }

    /// The deepest entry of all files on a path, of the highest layer among equals.
    fn deepest(&self, path: &[String], part: Part) -> Option<(usize, Spot)> {
        let profiles = [self.profile.as_deref(), None];
        let profiles = &profiles[usize::from(self.profile.is_none())..];
        let mut best: Option<(usize, Spot)> = None;
        for profile in profiles {
            for file in self.files.iter().rev() {
                let Some((depth, entry)) = deepest_in(&file.entries, *profile, path) else {
                    continue;
                };
                if best.as_ref().is_none_or(|(known, _)| depth > *known) {
                    let part = if depth == path.len() { part } else { Part::Key };
                    let spot = Spot::File {
                        place: file.place(entry.span(part)),
                        in_profile: profile.is_some(),
                    };
                    best = Some((depth, spot));
                }
            }
        }
        best
    }
}

/// A value inside another one.
pub(crate) fn child<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Dict(_, entries) => entries.get(key),
        Value::Array(_, items) => items.get(key.parse::<usize>().ok()?),
        Value::String(..)
        | Value::Char(..)
        | Value::Bool(..)
        | Value::Num(..)
        | Value::Empty(..) => None,
    }
}

/// How deep a path leads into a file, below a profile's table if one is given.
fn deepest_in<'a>(
    root: &'a Entry,
    profile: Option<&str>,
    path: &[String],
) -> Option<(usize, &'a Entry)> {
    let start = match profile {
        Some(name) => root.child("profile")?.child(name)?,
        None => root,
    };
    let (depth, entry) = start.deepest(path.iter().map(String::as_str));
    (depth > 0).then_some((depth, entry))
}

/// Figment keeps some names, such as `default`, for itself.
fn figment_profile(name: &str) -> Profile {
    Profile::new(&format!("profile {name}"))
}

/// What a file says for everybody, and what for the chosen profile.
fn file_data(file: &SourceFile, profile: Option<&str>) -> Map<Profile, Dict> {
    let own = file.values.iter();
    let own = own.filter(|(key, _)| !matches!(key.as_str(), "include" | "profile"));
    let own: Dict = own.map(|(k, v)| (k.clone(), v.clone())).collect();
    let mut data = Map::from([(Profile::Default, own)]);
    let profiles = file.values.get("profile").and_then(Value::as_dict);
    if let Some(name) = profile
        && let Some(chosen) = profiles.and_then(|all| all.get(name)?.as_dict())
    {
        data.insert(figment_profile(name), chosen.clone());
    }
    data
}

fn profile_exists(files: &Files, name: &str, problems: &mut Vec<Diagnostic>) -> bool {
    let profiles = files.layered.iter();
    let profiles = profiles.filter_map(|file| file.entries.child("profile"));
    let mut known: Vec<&str> = profiles.flat_map(Entry::names).collect();
    known.sort_unstable();
    known.dedup();
    if known.contains(&name) || files.doubt.names {
        return known.contains(&name);
    }
    let help = match nearest_name(name, known.iter().copied()) {
        Some(near) => format!("did you mean `--profile {near}`?"),
        None if known.is_empty() => "the pipeline has no profiles".to_owned(),
        None => format!("the pipeline has: {}", known.join(", ")),
    };
    let problem = Diagnostic::new(
        "sbt::profile::unknown",
        format!("no profile is named `{name}`"),
    );
    problems.push(problem.help(help));
    false
}
