use sbt_schemas::{CandidateRow, TraceRow};
use sbt_trials::Judge;

/// What a search had found after each evaluation.
pub(crate) fn trace(sampler: &str, judge: &Judge, candidates: &[CandidateRow]) -> Vec<TraceRow> {
    let mut found: Vec<&CandidateRow> = Vec::new();
    let mut best: Option<f64> = None;
    let mut rows = Vec::with_capacity(candidates.len());
    for (evaluation, candidate) in candidates.iter().enumerate() {
        if candidate.feasible {
            found.push(candidate);
            let first = judge
                .score(candidate)
                .and_then(|score| score.first().copied());
            best = best.into_iter().chain(first).min_by(f64::total_cmp);
        }
        rows.push(TraceRow {
            sampler: sampler.to_owned(),
            evaluation: evaluation as u64,
            config_id: candidate.config_id.clone(),
            feasible: candidate.feasible,
            n_feasible: found.len() as u64,
            hypervolume: judge.hypervolume(found.iter().copied()),
            best,
        });
    }
    rows
}
