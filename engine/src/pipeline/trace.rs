use serde_json::Value as Json;

use super::layers::{Layers, child};
use super::matrix::plain;
use super::reference::{self, Piece, Reference};
use super::resolve::Axes;
use super::trail::keys;

/// Follows references no deeper than this: a cycle was reported before.
const DEEPEST: usize = 32;

/// Finds out where a resolved value was written, following the references that it came through.
pub(crate) struct Trace<'a> {
    pub(crate) layers: &'a Layers,
    pub(crate) stage: &'a str,
    /// Axes of the instance; none outside of stages.
    pub(crate) axes: Option<&'a Axes>,
}

impl Trace<'_> {
    /// The entry of the document that a value of the stage came from. What does not exist is
    /// looked for in the table where it would be.
    pub(crate) fn origin(&self, path: &[String]) -> Vec<String> {
        let mut path = path.to_vec();
        for _ in 0..DEEPEST {
            match self.redirect(&path) {
                Some(next) => path = next,
                None => break,
            }
        }
        path
    }

    /// The path behind the first whole-string reference on the way.
    fn redirect(&self, path: &[String]) -> Option<Vec<String>> {
        let mut at = self.layers.root().get(path.first()?)?;
        for depth in 1..=path.len() {
            if let Some(text) = at.as_str()
                && let Some(reference) = reference::whole(text)
            {
                let mut target = self.target(&reference)?;
                target.extend_from_slice(&path[depth..]);
                return Some(target);
            }
            at = child(at, path.get(depth)?)?;
        }
        None
    }

    fn target(&self, reference: &Reference<'_>) -> Option<Vec<String>> {
        match reference {
            Reference::Params(names) => {
                let mut path = keys(["params"]);
                path.extend(names.iter().map(|name| (*name).to_owned()));
                Some(path)
            }
            Reference::Matrix(axis) => {
                let path = keys(["stages", self.stage, "matrix", axis]);
                let index = self.index_of(axis, &path)?;
                Some([path, vec![index.to_string()]].concat())
            }
            Reference::ParamsBy(path, _) => {
                let path = self.written_out(path)?;
                let names = path.split('.').map(str::to_owned);
                Some(keys(["params"]).into_iter().chain(names).collect())
            }
            Reference::Env(..) | Reference::File(..) => None,
        }
    }

    /// A parameter's path with the axes of the instance in it.
    fn written_out(&self, path: &str) -> Option<String> {
        let pieces = reference::parse(path).ok()?.into_iter();
        let texts = pieces.map(|piece| match piece {
            Piece::Text(text) => Some(text.into_owned()),
            Piece::Reference(Reference::Matrix(axis), _) => self.axes?.get(axis).map(plain),
            Piece::Reference(..) => None,
        });
        texts.collect()
    }

    /// Which value of an axis the instance has, where the values are written as such.
    fn index_of(&self, axis: &str, path: &[String]) -> Option<usize> {
        let wanted = self.axes?.get(axis)?;
        let mut path = path.to_vec();
        while let Some(next) = self.redirect(&path) {
            path = next;
        }
        let items = self.layers.find(&path)?.as_array()?;
        let is_wanted = |value| super::toml_value::json(value) == *wanted;
        items.iter().position(is_wanted)
    }
}

/// Where in a resolved value a text stands.
pub(crate) fn find_text(value: &Json, text: &str) -> Option<Vec<String>> {
    let inside = |key: String, value: &Json| {
        let rest = find_text(value, text)?;
        Some([vec![key], rest].concat())
    };
    match value {
        Json::String(found) => (found == text).then(Vec::new),
        Json::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(i, item)| inside(i.to_string(), item))
        }
        Json::Object(map) => map.iter().find_map(|(k, v)| inside(k.clone(), v)),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}
