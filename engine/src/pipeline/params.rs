use std::ops::Range;
use std::rc::Rc;

use figment::value::Value;
use serde_json::Value as Json;

use super::layers::child;
use super::reference;
use super::resolve::{Resolved, Resolver, Scope, Site};
use super::trail::Trail;
use crate::diagnostic::Diagnostic;
use crate::params::nearest_name;

/// A reference to a parameter that is being followed.
pub(crate) struct Open {
    param: String,
    path: Vec<String>,
    span: Range<usize>,
}

impl Resolver<'_> {
    /// The value of `${params.…}`.
    pub(crate) fn param(
        &mut self,
        keys: &[&str],
        site: Site<'_>,
        idle: bool,
    ) -> Option<Rc<Resolved>> {
        let name = keys.join(".");
        let key = (name.clone(), idle);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        if let Some(from) = self.open.iter().position(|open| open.param == name) {
            self.report_cycle(from, &name, site);
            return None;
        }
        self.open.push(Open {
            param: name,
            path: site.trail.keys(),
            span: site.span(),
        });
        let found = self.follow(keys, site, idle).map(Rc::new);
        self.open.pop();
        self.known.insert(key, found.clone());
        found
    }

    /// Walks down the parameters; one that is itself a reference is resolved on the way.
    fn follow(&mut self, keys: &[&str], site: Site<'_>, idle: bool) -> Option<Resolved> {
        let layers = self.layers;
        let mut path = vec!["params".to_owned()];
        let mut at = layers.root().get("params");
        let mut scope = Scope::new(None);
        scope.idle = idle;
        for (depth, key) in keys.iter().enumerate() {
            if let Some(Value::String(_, text)) = at
                && reference::whole(text).is_some()
            {
                let value = self.text(text, &Trail::Base(&path), &mut scope)?;
                let value = self.descend(value, keys, depth, site)?;
                return Some(Resolved {
                    value,
                    uses: scope.uses,
                });
            }
            let Some(next) = at.and_then(|at| child(at, key)) else {
                let names = at.and_then(Value::as_dict);
                let names = names.into_iter().flat_map(|d| d.keys()).map(String::as_str);
                self.unknown_param(keys, depth, &names.collect::<Vec<_>>(), site);
                return None;
            };
            at = Some(next);
            path.push((*key).to_owned());
        }
        let value = self.resolve(at?, &Trail::Base(&path), &mut scope)?;
        Some(Resolved {
            value,
            uses: scope.uses,
        })
    }

    /// Goes on inside a resolved value, from the key at `depth`.
    fn descend(
        &mut self,
        mut value: Json,
        keys: &[&str],
        depth: usize,
        site: Site<'_>,
    ) -> Option<Json> {
        for (i, key) in keys.iter().enumerate().skip(depth) {
            let next = match &mut value {
                Json::Object(map) => map.get_mut(*key),
                Json::Array(items) => key.parse::<usize>().ok().and_then(|i| items.get_mut(i)),
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
            };
            let Some(next) = next.map(Json::take) else {
                let names = value.as_object().into_iter().flat_map(|map| map.keys());
                let names: Vec<&str> = names.map(String::as_str).collect();
                self.unknown_param(keys, i, &names, site);
                return None;
            };
            value = next;
        }
        Some(value)
    }

    fn unknown_param(&mut self, keys: &[&str], depth: usize, names: &[&str], site: Site<'_>) {
        if self.layers.doubt.params {
            return;
        }
        let near = nearest_name(keys[depth], names.iter().copied()).map(|near| {
            let mut right = keys.to_vec();
            right[depth] = near;
            format!("did you mean `${{params.{}}}`?", right.join("."))
        });
        let list = || {
            let place = ["params"].iter().chain(&keys[..depth]);
            let place = place.copied().collect::<Vec<_>>().join(".");
            (!names.is_empty()).then(|| format!("`{place}` has: {}", names.join(", ")))
        };
        let problem = Diagnostic::new(
            "sbt::reference::unknown",
            format!("no parameter is named `params.{}`", keys.join(".")),
        );
        self.report_at(site, problem.help(near.or_else(list)));
    }

    fn report_cycle(&mut self, from: usize, name: &str, site: Site<'_>) {
        let inside = &self.open[from + 1..];
        let mut names = vec![format!("params.{name}")];
        names.extend(inside.iter().map(|open| format!("params.{}", open.param)));
        names.push(format!("params.{name}"));
        let message = format!("`params.{name}` refers to itself: {}", names.join(" → "));
        let mut problem = Diagnostic::new("sbt::reference::cycle", message);
        let closing = self
            .report
            .place_in_text(&site.trail.keys(), site.text, site.span());
        if let Some(place) = closing {
            problem = problem.label(place, "closes the cycle");
        }
        for open in inside {
            let text = self.layers.find(&open.path).and_then(Value::as_str);
            let text = text.unwrap_or_default();
            if let Some(place) = self
                .report
                .place_in_text(&open.path, text, open.span.clone())
            {
                problem = problem.label(place, "leads there");
            }
        }
        self.report.push(problem);
    }
}
