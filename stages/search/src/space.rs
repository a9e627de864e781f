use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
use sbt_engine::ParamError;
use sbt_trials::{Backend, Knob};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Dimension;
use crate::condition::{Axis, When};
use crate::point::Point;

/// What a search may choose: knobs of the server, and the values of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Space(BTreeMap<String, Axis>);

/// Stands for a knob that does not exist, in a cell: no dimension numbers a value like this.
const ABSENT: i64 = i64::MIN;

impl Space {
    /// A space of named knobs that all exist everywhere.
    pub fn of(dimensions: impl IntoIterator<Item = (String, Dimension)>) -> Self {
        let everywhere = |dimension| Axis {
            dimension,
            when: None,
        };
        let knobs = dimensions.into_iter();
        Self(
            knobs
                .map(|(name, dimension)| (name, everywhere(dimension)))
                .collect(),
        )
    }

    /// The dimensions, in the order of a point's genes.
    pub(crate) fn dimensions(&self) -> impl Iterator<Item = &Dimension> {
        self.0.values().map(|axis| &axis.dimension)
    }

    /// Number of dimensions.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Everything that is wrong with it, for a backend.
    pub(crate) fn check(&self, backend: &Backend) -> Vec<ParamError> {
        let mut errors = Vec::new();
        if self.0.is_empty() {
            errors.push(ParamError::at(&[], "the space has no knobs"));
        }
        for (name, axis) in &self.0 {
            if let Some(problem) = axis.dimension.problem() {
                errors.push(ParamError::at(&[name], problem));
                continue;
            }
            let values = extremes(&axis.dimension);
            errors.extend(
                values
                    .iter()
                    .find_map(|value| backend.check(name, value).err()),
            );
            let when = axis.when.as_ref();
            if let Some(problem) = when.and_then(|when| self.condition_problem(name, when)) {
                errors.push(ParamError::at(&[name, "when"], problem));
            }
        }
        errors
    }

    /// What is wrong with the condition of a knob, if anything.
    fn condition_problem(&self, name: &str, when: &When) -> Option<String> {
        let Some(parent) = self.0.get(&when.knob) else {
            let knobs: Vec<&str> = self.0.keys().map(String::as_str).collect();
            return Some(format!(
                "`{}` is no knob of this space, which has {}",
                when.knob,
                knobs.join(", ")
            ));
        };
        if self.circular(name) {
            return Some(format!("whether `{name}` exists depends on itself"));
        }
        if when.is.is_empty() {
            return Some("`is` is empty: the knob would exist nowhere".to_owned());
        }
        let strange = when.is.iter().find(|value| !parent.dimension.has(value))?;
        Some(format!("`{}` never is {strange} in this space", when.knob))
    }

    /// Whether the conditions from this knob on come back to it.
    fn circular(&self, name: &str) -> bool {
        let mut knob = name;
        for _ in 0..self.0.len() {
            match self.0.get(knob).and_then(|axis| axis.when.as_ref()) {
                Some(when) if when.knob == name => return true,
                Some(when) => knob = &when.knob,
                None => return false,
            }
        }
        false
    }

    /// Which knobs exist at a point.
    pub(crate) fn active(&self, point: &Point) -> Vec<bool> {
        if self.0.values().all(|axis| axis.when.is_none()) {
            return vec![true; self.len()];
        }
        let axes = self.0.values();
        axes.map(|axis| self.exists(axis, point, self.len()))
            .collect()
    }

    /// Whether a knob exists, by a chain of `links` conditions at most: a longer one is circular.
    fn exists(&self, axis: &Axis, point: &Point, links: usize) -> bool {
        let Some(when) = &axis.when else {
            return true;
        };
        let genes = self.0.iter().zip(&point.genes);
        let parent = genes.into_iter().find(|((name, _), _)| **name == when.knob);
        parent.is_some_and(|((_, parent), gene)| {
            let value = parent.dimension.decode(*gene);
            when.is.contains(&value) && links > 0 && self.exists(parent, point, links - 1)
        })
    }

    /// The knobs that exist at a point.
    pub(crate) fn decode(&self, point: &Point) -> BTreeMap<String, Knob> {
        let knobs = self.0.iter().zip(&point.genes).zip(self.active(point));
        let knobs = knobs.filter(|(_, active)| *active);
        knobs
            .map(|(((name, axis), gene), _)| (name.clone(), axis.dimension.decode(*gene)))
            .collect()
    }

    /// Which configuration a point stands for: equal for points that decode alike.
    pub(crate) fn cell(&self, point: &Point) -> Vec<i64> {
        let knobs = self.dimensions().zip(&point.genes).zip(self.active(point));
        let index = |((dimension, gene), active): ((&Dimension, &f64), bool)| {
            if active {
                dimension.index(*gene)
            } else {
                ABSENT
            }
        };
        knobs.map(index).collect()
    }

    /// Coordinates in 0..1 in which points are as far apart as their knobs: one for an ordered
    /// dimension, one per category for an unordered one.
    pub(crate) fn one_hot(&self, point: &Point) -> Vec<f64> {
        let mut coordinates = Vec::new();
        let exists = self.active(point);
        for ((dimension, gene), exists) in self.dimensions().zip(&point.genes).zip(exists) {
            match dimension.categories() {
                Some(count) if !exists => coordinates.extend(vec![0.0; count]),
                None if !exists => coordinates.push(0.5),
                // Two categories that differ are 1 apart.
                Some(count) => coordinates.extend((0..count).map(|category| {
                    if category as f64 == *gene {
                        std::f64::consts::FRAC_1_SQRT_2
                    } else {
                        0.0
                    }
                })),
                None => coordinates.push(*gene),
            }
        }
        coordinates
    }

    /// A random point.
    pub(crate) fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        Point {
            genes: self
                .dimensions()
                .map(|dimension| dimension.sample(rng))
                .collect(),
        }
    }
}

/// Values that stand for all of a dimension: its ends, or every category.
fn extremes(dimension: &Dimension) -> Vec<Knob> {
    match dimension.categories() {
        Some(count) => (0..count).map(|i| dimension.decode(i as f64)).collect(),
        None => vec![dimension.decode(0.0), dimension.decode(1.0)],
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use serde_json::{Value, json};

    use super::*;

    fn space(value: Value) -> Space {
        serde_json::from_value(value).expect("a space")
    }

    fn chained() -> Space {
        space(json!({
            "cache": { "kind": "bool" },
            "blocks": { "kind": "choice", "values": [16, 32], "when": { "knob": "cache", "is": [true] } },
            "evict": { "kind": "float", "min": 0.0, "max": 1.0, "when": { "knob": "blocks", "is": [32] } },
        }))
    }

    #[test]
    fn a_knob_exists_only_where_its_condition_and_those_before_hold() {
        // Genes: blocks, cache, evict.
        let knobs = |genes: [f64; 3]| {
            let point = Point {
                genes: genes.to_vec(),
            };
            chained().decode(&point).into_keys().collect::<Vec<_>>()
        };
        assert_eq!(knobs([1.0, 1.0, 0.5]), ["blocks", "cache", "evict"]);
        assert_eq!(knobs([0.0, 1.0, 0.5]), ["blocks", "cache"]);
        assert_eq!(knobs([1.0, 0.0, 0.5]), ["cache"]);
    }

    #[test]
    fn points_that_differ_in_absent_knobs_alone_are_one_configuration() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..200 {
            let points = [(); 2].map(|()| chained().sample(&mut rng));
            let [a, b] = &points;
            assert_eq!(
                chained().cell(a) == chained().cell(b),
                chained().decode(a) == chained().decode(b)
            );
        }
    }

    #[test]
    fn conditions_are_written_as_they_were_read() {
        let written = serde_json::to_value(chained()).expect("json");
        assert_eq!(space(written), chained());
        let plain = json!({ "cache": { "kind": "bool" } });
        assert_eq!(
            serde_json::to_value(space(plain.clone())).expect("json"),
            plain
        );
    }

    #[test]
    fn conditions_that_cannot_be_are_refused() {
        let problem = |other: &str, is: Value, cache: Value| {
            let mut knobs = json!({ "cache": { "kind": "bool" }, "blocks": { "kind": "int", "min": 16, "max": 64, "step": 16 } });
            knobs["blocks"]["when"] = json!({ "knob": other, "is": is });
            if !cache.is_null() {
                knobs["cache"]["when"] = cache;
            }
            let space = space(knobs);
            let when = space.0["blocks"].when.clone().expect("a condition");
            space.condition_problem("blocks", &when)
        };
        assert_eq!(problem("cache", json!([true]), json!(null)), None);
        assert_eq!(
            problem("cash", json!([true]), json!(null)).expect("unknown"),
            "`cash` is no knob of this space, which has blocks, cache"
        );
        assert_eq!(
            problem("cache", json!(["on"]), json!(null)).expect("strange"),
            "`cache` never is on in this space"
        );
        let back = json!({ "knob": "blocks", "is": [32] });
        assert_eq!(
            problem("cache", json!([true]), back).expect("circular"),
            "whether `blocks` exists depends on itself"
        );
        assert!(problem("cache", json!([]), json!(null)).is_some());
        assert!(problem("blocks", json!([16]), json!(null)).is_some());
    }
}
