use serde::{Deserialize, Serialize};

/// A place in a space: one gene per dimension, in the order of the knobs' names. Ordered
/// dimensions have a gene in 0..1, unordered ones the number of a category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub(crate) genes: Vec<f64>,
}
