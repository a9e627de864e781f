use sbt_schemas::Cell;

use super::{Judge, VIOLATION_BY_NULL};
use crate::goals::BASELINE;
use crate::hypervolume;
use crate::scale::Scale;

/// What goals say of values that no trial measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Appraisal {
    /// As [`Judge::coordinates`]; none where an objective has no value.
    pub coordinates: Option<Vec<f64>>,
    /// Sum of relative violations of the constraints; 0 when feasible.
    pub violation: f64,
}

impl Judge {
    /// Appraises the values of a candidate's columns.
    #[must_use]
    pub fn appraise(&self, value: &dyn Fn(&str) -> Option<f64>) -> Appraisal {
        let lookup = |name: &str| match name.strip_prefix(BASELINE) {
            Some(column) => sbt_schemas::Row::cell(self.baseline.as_ref()?, column),
            None => Some(value(name).map_or(Cell::Null, Cell::Number)),
        };
        let violations = self.constraints.iter().map(|constraint| {
            let violation = constraint.violation(&lookup).unwrap_or(None);
            violation.unwrap_or(VIOLATION_BY_NULL)
        });
        let scales = self.scales.iter().flatten().zip(&self.objectives);
        let coordinates = scales.map(|(scale, objective)| match objective.expr.eval(&lookup) {
            Ok(Cell::Number(value)) => Some(scale.coordinate(value)),
            Ok(Cell::Null | Cell::Bool(_) | Cell::Text(_)) | Err(_) => None,
        });
        Appraisal {
            violation: violations.sum(),
            coordinates: coordinates
                .collect::<Option<Vec<f64>>>()
                .filter(|all| all.len() == self.objectives()),
        }
    }

    /// Hypervolume of coordinates up to where it counts.
    #[must_use]
    pub fn volume_of(&self, coordinates: &[Vec<f64>]) -> f64 {
        hypervolume(coordinates, &vec![Scale::REFERENCE; self.objectives()])
    }
}
