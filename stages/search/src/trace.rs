use sbt_schemas::{CandidateRow, TraceRow};
use sbt_trials::{Judge, dominates};

/// What a search had found after each evaluation.
pub(crate) fn trace(sampler: &str, judge: &Judge, candidates: &[CandidateRow]) -> Vec<TraceRow> {
    let mut front: Vec<(Vec<f64>, &CandidateRow)> = Vec::new();
    let mut volume = judge.hypervolume([]);
    let (mut n_feasible, mut best) = (0, None::<f64>);
    let mut rows = Vec::with_capacity(candidates.len());
    for (evaluation, candidate) in candidates.iter().enumerate() {
        n_feasible += u64::from(candidate.feasible);
        let score = judge.score(candidate).filter(|_| candidate.feasible);
        if let Some(score) = score {
            best = best
                .into_iter()
                .chain(score.first().copied())
                .min_by(f64::total_cmp);
            // What is dominated adds nothing.
            if !front.iter().any(|(better, _)| dominates(better, &score)) {
                front.retain(|(worse, _)| !dominates(&score, worse));
                front.push((score, candidate));
                volume = judge.hypervolume(front.iter().map(|(_, candidate)| *candidate));
            }
        }
        rows.push(TraceRow {
            sampler: sampler.to_owned(),
            evaluation: evaluation as u64,
            config_id: candidate.config_id.clone(),
            feasible: candidate.feasible,
            n_feasible,
            hypervolume: volume,
            best,
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use sbt_trials::Goals;
    use serde_json::json;

    use super::*;

    fn candidate(evaluation: u64, e2e_p95_s: Option<f64>, feasible: bool) -> CandidateRow {
        let outcome = if e2e_p95_s.is_some() { "ok" } else { "crashed" };
        let row = json!({
            "sampler": "random", "evaluation": evaluation, "config_id": "c", "config_name": "c",
            "config": "{}", "n_trials": 1, "outcome": outcome, "provenance": "simulated",
            "gpus": 1, "e2e_p95_s": e2e_p95_s, "cost_per_mtok": 1.0, "feasible": feasible,
            "rank": 0, "on_front": false,
        });
        serde_json::from_value(row).expect("a row")
    }

    fn goals() -> Goals {
        let goals = json!({ "minimize": ["e2e_p95_s", "cost_per_mtok"] });
        serde_json::from_value(goals).expect("goals")
    }

    #[test]
    fn what_is_not_feasible_or_failed_adds_nothing() {
        let baseline = candidate(0, Some(4.0), true);
        let judge = Judge::new(&goals(), Some(&baseline)).expect("a judge");
        let candidates = [
            candidate(0, Some(1.0), false),
            candidate(1, Some(3.0), true),
            candidate(2, None, false),
            candidate(3, Some(2.0), true),
        ];
        let rows = trace("random", &judge, &candidates);
        let best: Vec<Option<f64>> = rows.iter().map(|row| row.best).collect();
        assert_eq!(best, [None, Some(3.0), Some(3.0), Some(2.0)]);
        let volumes: Vec<f64> = rows
            .iter()
            .map(|row| row.hypervolume.expect("a volume"))
            .collect();
        let reference = 1.1_f64.ln();
        assert_eq!(volumes[0], 0.0);
        assert!((volumes[1] - (reference + (4.0_f64 / 3.0).ln()) * reference).abs() < 1e-12);
        assert_eq!(volumes[1], volumes[2]);
        assert!(volumes[3] > volumes[2]);
        assert_eq!(rows[3].n_feasible, 2);
    }

    #[test]
    fn without_a_baseline_there_is_no_volume() {
        let judge = Judge::new(&goals(), None).expect("a judge");
        let rows = trace("random", &judge, &[candidate(0, Some(1.0), true)]);
        assert_eq!((rows[0].hypervolume, rows[0].best), (None, Some(1.0)));
    }
}
