use sbt_schemas::{CandidateRow, TrialRow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a decision wants: expressions over the columns of a candidate (`e2e_p95_s`, `quality`,
/// …) and of the baseline (`baseline.e2e_p95_s`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Goals {
    /// To make small.
    pub minimize: Vec<String>,
    /// To make large.
    pub maximize: Vec<String>,
    /// What must hold, such as `ttft_p95_s <= 1.0` or `quality >= 0.98 * baseline.quality`.
    pub subject_to: Vec<String>,
}

/// Judges candidates against goals and a baseline. One implementation for the search and for the
/// finalists, so that both mean the same by feasible, dominated and recommended.
pub struct Judge {
    goals: Goals,
}

impl Judge {
    /// A judge. Without a baseline, goals that name it are errors.
    ///
    /// # Errors
    /// When an expression does not parse or names no column; says which.
    pub fn new(goals: &Goals, baseline: Option<&CandidateRow>) -> Result<Self, String> {
        let _ = baseline;
        Ok(Self {
            goals: goals.clone(),
        })
    }

    /// Number of objectives: `minimize`, then `maximize`.
    #[must_use]
    pub fn objectives(&self) -> usize {
        self.goals.minimize.len() + self.goals.maximize.len()
    }

    /// Objective values of a candidate, all to be minimised (maximised ones negated); none when
    /// one of them is null or the outcome is not `ok`.
    #[must_use]
    pub fn score(&self, candidate: &CandidateRow) -> Option<Vec<f64>> {
        let _ = candidate;
        todo!("trials helper")
    }

    /// Fills `feasible`, `violation` and `violated` of a candidate.
    pub fn assess(&self, candidate: &mut CandidateRow) {
        let _ = candidate;
        todo!("trials helper")
    }

    /// Fills `rank`, `on_front` and `hypervolume_share` of assessed candidates.
    pub fn rank(&self, candidates: &mut [CandidateRow]) {
        let _ = candidates;
        todo!("trials helper")
    }

    /// Marks up to `top` members of the front as recommended, best first, each with its reason.
    pub fn recommend(&self, candidates: &mut [CandidateRow], top: usize) {
        let _ = (candidates, top);
        todo!("trials helper")
    }
}

/// One candidate from the trials of one configuration: means over trials; a metric that any
/// trial lacks is null; the outcome is the worst one. `quality` is left to the caller.
#[must_use]
pub fn aggregate(sampler: &str, evaluation: u64, trials: &[&TrialRow]) -> CandidateRow {
    let _ = (sampler, evaluation, trials);
    todo!("trials helper")
}
