use serde::{Deserialize, Serialize};

use crate::point::Point;

/// What a point was worth. All objectives are minimised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Objectives; none when the trial did not end `ok` or one of them is missing.
    pub objectives: Option<Vec<f64>>,
    /// Sum of relative violations of the constraints, 0 when feasible; none when the trial
    /// failed: behind every violation of a size.
    pub violation: Option<f64>,
}

impl Evaluation {
    /// Order of feasibility: 0 for feasible, then the violation; infinite without objectives or
    /// without a size.
    #[must_use]
    pub fn constraint_violation(&self) -> f64 {
        match (&self.objectives, self.violation) {
            (Some(_), Some(violation)) => violation,
            (None, _) | (_, None) => f64::INFINITY,
        }
    }
}

/// Proposes points and learns what they were worth. A pure function of its seed and of what it
/// was told: telling the same history again leads to the same next question, so that a search
/// that was killed goes on where it stood.
pub trait Sampler {
    /// The next points to evaluate, `n` at most; fewer when the sampler has no more to ask before
    /// it is told.
    fn ask(&mut self, n: usize) -> Vec<Point>;

    /// What the points of the last question were worth, in its order.
    fn tell(&mut self, told: &[(Point, Evaluation)]);
}
