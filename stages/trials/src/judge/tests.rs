use proptest::prelude::*;
use sbt_schemas::{CandidateRow, Outcome, TrialRow};
use serde_json::{Value, json};

use crate::{Goals, Judge, aggregate, dominates};

fn candidate(name: &str, fields: Value) -> CandidateRow {
    let mut row = json!({
        "sampler": "test", "evaluation": 0, "config_id": name, "config_name": name,
        "config": "{}", "n_trials": 1, "outcome": "ok", "provenance": "simulated", "gpus": 1,
        "feasible": false, "rank": 0, "on_front": false,
    });
    let into = row.as_object_mut().unwrap();
    into.extend(fields.as_object().unwrap().clone());
    serde_json::from_value(row).unwrap()
}

fn point(name: &str, e2e: f64, cost: f64) -> CandidateRow {
    candidate(
        name,
        json!({"e2e_p95_s": e2e, "cost_per_mtok": cost, "ttft_p95_s": 0.5}),
    )
}

fn goals(subject_to: &[&str]) -> Goals {
    Goals {
        minimize: vec!["e2e_p95_s".into(), "cost_per_mtok".into()],
        maximize: Vec::new(),
        subject_to: subject_to.iter().map(|&s| s.to_owned()).collect(),
    }
}

fn judged(judge: &Judge, mut candidates: Vec<CandidateRow>) -> Vec<CandidateRow> {
    candidates.iter_mut().for_each(|c| judge.assess(c));
    judge.rank(&mut candidates);
    candidates
}

#[test]
fn feasible_come_first_then_infeasible_by_violation_then_failed() {
    let judge = Judge::new(&goals(&["ttft_p95_s <= 1.0"]), None).unwrap();
    let with_ttft = |name, ttft: Value| {
        candidate(
            name,
            json!({"e2e_p95_s": 1.0, "cost_per_mtok": 1.0, "ttft_p95_s": ttft}),
        )
    };
    let rows = judged(
        &judge,
        vec![
            candidate(
                "failed",
                json!({"outcome": "oom", "reason": "does not fit"}),
            ),
            with_ttft("far", json!(3.0)),
            with_ttft("near", json!(1.2)),
            with_ttft("unknown", json!(null)),
            point("good", 2.0, 2.0),
            point("better", 1.0, 2.0),
            candidate("no_cost", json!({"e2e_p95_s": 0.1, "ttft_p95_s": 0.5})),
        ],
    );
    let ranks: Vec<u64> = rows.iter().map(|c| c.rank).collect();
    assert_eq!(ranks, [6, 5, 3, 4, 1, 0, 2]);
    assert_eq!(rows[1].violation, Some(2.0));
    assert_eq!(
        rows[2].violated.as_deref(),
        Some("ttft_p95_s <= 1.0 (ttft_p95_s is 1.2)")
    );
    assert_eq!((rows[3].violation, rows[3].feasible), (Some(1.0), false));
    assert_eq!((rows[0].violation, rows[0].feasible), (None, false));
    let on_front: Vec<&str> = rows
        .iter()
        .filter(|c| c.on_front)
        .map(|c| &*c.config_id)
        .collect();
    assert_eq!(on_front, ["better"]);
}

#[test]
fn baseline_bounds_and_missing_baseline_are_told_apart() {
    let relative = goals(&["e2e_p95_s <= 1.1 * baseline.e2e_p95_s"]);
    assert!(relative.names_baseline() && relative.check().is_empty());
    let error = Judge::new(&relative, None).err().unwrap();
    assert!(
        error.contains("names the baseline, but there is none"),
        "{error}"
    );
    let unstable = json!({"outcome": "unstable", "reason": "too much load"});
    let error = Judge::new(&relative, Some(&candidate("baseline", unstable)))
        .err()
        .unwrap();
    assert!(
        error.contains("null: it ended `unstable`: too much load"),
        "{error}"
    );
    let judge = Judge::new(&relative, Some(&point("baseline", 4.0, 1.0))).unwrap();
    let mut slow = point("slow", 5.5, 1.0);
    judge.assess(&mut slow);
    assert!((slow.violation.unwrap() - 0.25).abs() < 1e-9);
    assert_eq!(
        slow.violated.as_deref(),
        Some("e2e_p95_s <= 1.1 * baseline.e2e_p95_s (baseline.e2e_p95_s is 4, e2e_p95_s is 5.5)")
    );
}

#[test]
fn wrong_goals_are_all_reported_where_they_stand() {
    let goals = Goals {
        minimize: vec!["e2e_p59_s".into(), "config_name".into()],
        maximize: vec!["tok_s +".into()],
        subject_to: vec!["tok_s".into(), "on_front and tok_s > 1".into()],
    };
    let errors = goals.check();
    let paths: Vec<String> = errors.iter().map(|e| e.path.join(".")).collect();
    assert_eq!(
        paths,
        ["minimize.0", "minimize.1", "maximize.0", "subject_to.0"]
    );
    assert!(
        errors[0].message.contains("did you mean `e2e_p95_s`?"),
        "{}",
        errors[0].message
    );
    assert!(
        errors[3].message.contains("expected a condition"),
        "{}",
        errors[3].message
    );
}

#[test]
fn maximised_objectives_are_negated() {
    let goals = Goals {
        minimize: vec!["e2e_p95_s".into()],
        maximize: vec!["tok_s".into()],
        subject_to: Vec::new(),
    };
    let judge = Judge::new(&goals, None).unwrap();
    let row = candidate("a", json!({"e2e_p95_s": 2.0, "tok_s": 300.0}));
    assert_eq!(judge.score(&row), Some(vec![2.0, -300.0]));
    assert_eq!(
        judge.score(&candidate("b", json!({"e2e_p95_s": 2.0}))),
        None
    );
}

#[test]
fn volume_counts_better_than_a_tenth_above_the_baseline() {
    let judge = Judge::new(&goals(&[]), Some(&point("baseline", 4.0, 2.0))).unwrap();
    let rows = judged(
        &judge,
        vec![
            point("fast", 2.0, 2.0),
            point("cheap", 4.0, 1.0),
            point("worse", 5.0, 3.0),
        ],
    );
    let (one, tenth) = (2.0_f64.ln(), 1.1_f64.ln());
    let whole = 2.0 * (one + tenth) * tenth - tenth * tenth;
    assert!((judge.hypervolume(&rows).unwrap() - whole).abs() < 1e-12);
    let share = one * tenth / whole;
    assert!((rows[0].hypervolume_share.unwrap() - share).abs() < 1e-12);
    assert_eq!(rows[2].hypervolume_share, None);
    assert_eq!(
        Judge::new(&goals(&[]), None).unwrap().hypervolume(&rows),
        None
    );
}

#[test]
fn recommendation_gives_balance_then_extremes_each_with_its_reason() {
    let judge = Judge::new(&goals(&[]), Some(&point("baseline", 4.0, 2.0))).unwrap();
    let mut rows = judged(
        &judge,
        vec![
            point("fast", 1.0, 3.0),
            point("cheap", 4.0, 1.0),
            point("middle", 1.6, 1.4),
            point("dominated", 5.0, 4.0),
            point("middle", 1.6, 1.4),
        ],
    );
    judge.recommend(&mut rows, 3);
    let places: Vec<Option<u64>> = rows.iter().map(|c| c.recommended).collect();
    assert_eq!(places, [Some(2), Some(3), Some(1), None, None]);
    assert_eq!(
        rows[0].why.as_deref(),
        Some("lowest e2e_p95_s on the front: 1 s (-75 % against the baseline)")
    );
    let why = rows[2].why.as_deref().unwrap();
    assert!(why.starts_with("best balance of 4 on the front"), "{why}");
    assert!(
        why.ends_with("e2e_p95_s 1.6 s (-60 % against the baseline), cost_per_mtok 1.4 USD per million output tokens (-30 %)"),
        "{why}"
    );
    judge.recommend(&mut rows, 1);
    assert_eq!(rows.iter().filter(|c| c.recommended.is_some()).count(), 1);
}

#[test]
fn nothing_feasible_recommends_nothing() {
    let judge = Judge::new(&goals(&["ttft_p95_s <= 0.1"]), None).unwrap();
    let mut rows = judged(&judge, vec![point("a", 1.0, 1.0)]);
    judge.recommend(&mut rows, 3);
    assert!(rows[0].recommended.is_none() && rows[0].hypervolume_share.is_none());
}

fn trial(fields: Value) -> TrialRow {
    let mut row = json!({
        "trial_key": "k", "config_id": "c", "config_name": "name", "config": "{}",
        "backend": "simulator", "draw": 0, "rate_scale": 1.0, "outcome": "ok",
        "provenance": "simulated", "n": 10, "n_ok": 10, "n_short": 0, "gpus": 1,
    });
    let into = row.as_object_mut().unwrap();
    into.extend(fields.as_object().unwrap().clone());
    serde_json::from_value(row).unwrap()
}

#[test]
fn candidate_has_means_and_the_worst_outcome() {
    let a = trial(json!({"e2e_p95_s": 1.0, "tok_s": 100.0, "vram_peak_mb": 5.0}));
    let b = trial(json!({"e2e_p95_s": 3.0, "vram_peak_mb": 7.0}));
    let row = aggregate("manual", 4, &[&a, &b]);
    assert_eq!(
        (row.e2e_p95_s, row.tok_s, row.n_trials),
        (Some(2.0), None, 2)
    );
    assert_eq!(
        (row.sampler.as_str(), row.evaluation, row.outcome),
        ("manual", 4, Outcome::Ok)
    );
    let c = trial(
        json!({"outcome": "unstable", "reason": "too much", "e2e_p95_s": 90.0, "vram_peak_mb": 9.0}),
    );
    let row = aggregate("manual", 4, &[&a, &c]);
    assert_eq!((row.outcome, row.e2e_p95_s), (Outcome::Unstable, None));
    assert_eq!(
        (row.reason.as_deref(), row.vram_peak_mb),
        (Some("too much"), Some(7.0))
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ranks_respect_domination_and_feasibility(
        points in prop::collection::vec((1..9_u8, 1..9_u8, any::<bool>()), 1..20),
    ) {
        let judge = Judge::new(&goals(&["ttft_p95_s <= 1.0"]), Some(&point("b", 5.0, 5.0))).unwrap();
        let rows = points.iter().map(|&(x, y, feasible)| {
            let mut row = point("p", f64::from(x), f64::from(y));
            row.ttft_p95_s = Some(if feasible { 0.5 } else { 1.0 + f64::from(x) });
            row
        });
        let mut rows = judged(&judge, rows.collect());
        judge.recommend(&mut rows, 3);
        for a in &rows {
            prop_assert!(!a.on_front || (a.feasible && a.rank == 0));
            prop_assert!(a.recommended.is_none() || (a.on_front && a.why.is_some()));
            for b in &rows {
                if a.feasible && !b.feasible {
                    prop_assert!(a.rank < b.rank);
                } else if a.feasible == b.feasible {
                    let better = if a.feasible {
                        dominates(&judge.score(a).unwrap(), &judge.score(b).unwrap())
                    } else {
                        a.violation < b.violation
                    };
                    prop_assert!(!better || a.rank < b.rank);
                }
            }
        }
        let shares: f64 = rows.iter().filter_map(|c| c.hypervolume_share).sum();
        prop_assert!(shares <= 1.0 + 1e-9);
    }
}
