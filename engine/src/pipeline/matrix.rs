use figment::value::{Dict, Value};
use serde_json::Value as Json;

use super::resolve::{Axes, Resolver, Scope, Uses};
use super::spans::Part;
use super::trail::{Trail, keys};
use crate::diagnostic::Diagnostic;

/// All combinations of the axes of a stage's matrix; one without axes when it has no matrix.
pub(crate) struct Unfolded {
    /// In the order of the axes' names, the last axis fastest.
    pub(crate) instances: Vec<Axes>,
    /// What the values took.
    pub(crate) uses: Uses,
}

/// `search[sampler=nsga2]`, or the name alone without axes.
pub(crate) fn instance_id(name: &str, axes: &Axes) -> String {
    if axes.is_empty() {
        return name.to_owned();
    }
    let axes = axes
        .iter()
        .map(|(axis, value)| format!("{axis}={}", plain(value)));
    format!("{name}[{}]", axes.collect::<Vec<_>>().join(","))
}

/// An axis's value as it stands in ids and messages.
pub(crate) fn plain(value: &Json) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

impl Unfolded {
    /// None when the matrix is wrong, which is reported.
    pub(crate) fn read(stage: &str, entries: &Dict, resolver: &mut Resolver<'_>) -> Option<Self> {
        let mut instances = vec![Axes::new()];
        let mut scope = Scope::new(None);
        let Some(matrix) = entries.get("matrix") else {
            return Some(Self {
                instances,
                uses: scope.uses,
            });
        };
        let path = keys(["stages", stage, "matrix"]);
        let Value::Dict(_, axes) = matrix else {
            let problem = Diagnostic::new(
                "sbt::matrix::type",
                format!("stage `{stage}`: `matrix` must be a table of lists"),
            );
            let help = "write `matrix = { sampler = [\"random\", \"tpe\"] }`".to_owned();
            resolver
                .report
                .at(problem.help(help), &path, Part::Value, "expected a table");
            return None;
        };
        let trail = Trail::Base(&path);
        let mut complete = true;
        for (axis, values) in axes {
            let resolved = resolver.resolve(values, &trail.key(axis), &mut scope);
            match resolved.and_then(|values| axis_values(stage, axis, values, resolver)) {
                Some(values) => instances = product(instances, axis, &values),
                None => complete = false,
            }
        }
        complete.then_some(Self {
            instances,
            uses: scope.uses,
        })
    }
}

fn product(instances: Vec<Axes>, axis: &str, values: &[Json]) -> Vec<Axes> {
    let extend = |axes: Axes| {
        values.iter().map(move |value| {
            let mut axes = axes.clone();
            axes.insert(axis.to_owned(), value.clone());
            axes
        })
    };
    instances.into_iter().flat_map(extend).collect()
}

/// The values of an axis: scalars, at least one, none twice.
fn axis_values(
    stage: &str,
    axis: &str,
    values: Json,
    resolver: &mut Resolver<'_>,
) -> Option<Vec<Json>> {
    let mut wrong = |index: Option<usize>, what: String| {
        let mut path = keys(["stages", stage, "matrix", axis]);
        path.extend(index.map(|index| index.to_string()));
        let message = format!("stage `{stage}`: {what}");
        let problem = Diagnostic::new("sbt::matrix::axis", message);
        resolver.report.at(problem, &path, Part::Value, "");
        None
    };
    let Json::Array(values) = values else {
        return wrong(None, format!("axis `{axis}` must be a list of values"));
    };
    if values.is_empty() {
        return wrong(None, format!("axis `{axis}` has no values"));
    }
    for (i, value) in values.iter().enumerate() {
        if value.is_array() || value.is_object() {
            let what = format!("a value of axis `{axis}` must be a string, number or boolean");
            return wrong(Some(i), what);
        }
        if values[..i]
            .iter()
            .any(|earlier| plain(earlier) == plain(value))
        {
            return wrong(Some(i), format!("axis `{axis}` has {} twice", plain(value)));
        }
    }
    Some(values)
}
