use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
use sbt_engine::ParamError;
use sbt_trials::{Backend, Knob};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Dimension;
use crate::point::Point;

/// What a search may choose: knobs of the server, and the values of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Space(BTreeMap<String, Dimension>);

impl Space {
    /// The dimensions, in the order of a point's genes.
    pub(crate) fn dimensions(&self) -> impl Iterator<Item = &Dimension> {
        self.0.values()
    }

    /// Everything that is wrong with it, for a backend.
    pub(crate) fn check(&self, backend: &Backend) -> Vec<ParamError> {
        let mut errors = Vec::new();
        if self.0.is_empty() {
            errors.push(ParamError::at(&[], "the space has no knobs"));
        }
        for (name, dimension) in &self.0 {
            if let Some(problem) = dimension.problem() {
                errors.push(ParamError::at(&[name], problem));
                continue;
            }
            for value in extremes(dimension) {
                if let Err(error) = backend.check(name, &value) {
                    errors.push(error);
                    break;
                }
            }
        }
        errors
    }

    /// The knobs of a point.
    pub(crate) fn decode(&self, point: &Point) -> BTreeMap<String, Knob> {
        let values = self.0.iter().zip(&point.genes);
        values
            .map(|((name, dimension), gene)| (name.clone(), dimension.decode(*gene)))
            .collect()
    }

    /// Which configuration a point stands for: equal for points that decode alike.
    pub(crate) fn cell(&self, point: &Point) -> Vec<i64> {
        let genes = self.dimensions().zip(&point.genes);
        genes
            .map(|(dimension, gene)| dimension.index(*gene))
            .collect()
    }

    /// Coordinates in 0..1 in which points are as far apart as their knobs: one for an ordered
    /// dimension, one per category for an unordered one.
    pub(crate) fn one_hot(&self, point: &Point) -> Vec<f64> {
        let mut coordinates = Vec::new();
        for (dimension, gene) in self.dimensions().zip(&point.genes) {
            match dimension.categories() {
                // Two categories that differ are 1 apart.
                Some(count) => coordinates.extend((0..count).map(|category| {
                    if category as f64 == *gene { std::f64::consts::FRAC_1_SQRT_2 } else { 0.0 }
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
impl Space {
    pub(crate) fn of(dimensions: impl IntoIterator<Item = (String, Dimension)>) -> Self {
        Self(dimensions.into_iter().collect())
    }
}
