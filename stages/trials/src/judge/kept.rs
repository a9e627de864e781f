use sbt_schemas::CandidateRow;

use super::Judge;

impl Judge {
    /// Whether a candidate keeps each constraint, whatever its outcome; over a null value it does
    /// not.
    #[must_use]
    pub fn kept(&self, candidate: &CandidateRow) -> Vec<bool> {
        let kept = self.constraints.iter().map(|constraint| {
            let lookup = |name: &str| self.cell(candidate, name);
            constraint.violation(&lookup).unwrap_or(None) == Some(0.0)
        });
        kept.collect()
    }

    /// The constraints as they are written.
    #[must_use]
    pub fn constraints(&self) -> Vec<String> {
        self.constraints.iter().map(ToString::to_string).collect()
    }
}
