use proptest::prelude::*;
use sbt_trials::{Knob, hypervolume};

use super::*;
use crate::problems::{self, Problem};

/// Mean hypervolumes of all that was asked after 50, 100 and 200 evaluations, over some seeds.
fn solved(problem: &Problem, seeds: u64) -> [f64; 3] {
    let mut means = [0.0; 3];
    for seed in 1..=seeds {
        let mut sampler = Tpe::new(&problem.space(), seed);
        for (mean, evaluations) in means.iter_mut().zip([50, 100, 200]) {
            while sampler.told.len() < evaluations {
                let asked = sampler.ask(1).into_iter();
                let told = asked.map(|point| (problem.evaluate(&point), point));
                let told: Vec<_> = told.map(|(worth, point)| (point, worth)).collect();
                sampler.tell(&told);
            }
            let worth = sampler.told.iter().map(|(_, evaluation)| evaluation);
            let feasible = worth.filter(|e| e.constraint_violation() <= 0.0);
            let front: Vec<_> = feasible.filter_map(|e| e.objectives.as_deref()).collect();
            *mean += hypervolume(&front, &problem.reference) / seeds as f64;
        }
    }
    means
}

/// Means of Optuna 5.0.0's multivariate TPE with its defaults and constraints, over seeds 1 to 10.
#[test]
fn few_evaluations_find_more_than_optunas_do() {
    for (name, problem, optuna) in [
        ("bnh", problems::bnh(), [5098.7, 5186.6, 5241.0]),
        ("zdt1", problems::zdt1(10), [0.0, 0.0, 0.0]),
        ("dtlz2", problems::dtlz2(7), [0.3183, 0.3965, 0.4472]),
        ("osy", problems::osy(), [3539.0, 5523.0, 7591.0]),
    ] {
        let volumes = solved(&problem, 10);
        let better = volumes
            .iter()
            .zip(&optuna)
            .all(|(ours, theirs)| ours >= theirs);
        assert!(better, "{name}: {volumes:?} against {optuna:?}");
    }
}

fn mixed() -> Space {
    serde_json::from_value(serde_json::json!({
        "batch": { "kind": "int", "min": 16, "max": 256, "step": 8, "log": true },
        "cache": { "kind": "bool" },
        "dtype": { "kind": "choice", "values": ["auto", "fp8", "bf16"] },
        "memory": { "kind": "float", "min": 0.8, "max": 0.95 },
        "window": { "kind": "int", "min": 1, "max": 8, "when": { "knob": "cache", "is": [true] } },
    }))
    .expect("a space")
}

/// Best: fp8, a small batch, the cache with the greatest window. Every seventh batch size fails.
fn worth(space: &Space, point: &Point) -> Evaluation {
    let knobs = space.decode(point);
    let number = |name: &str| match knobs.get(name) {
        Some(Knob::Int(value)) => *value as f64,
        Some(Knob::Float(value)) => *value,
        Some(Knob::Bool(_) | Knob::Text(_)) | None => 0.0,
    };
    let failed = number("batch") as i64 % 7 == 0;
    let right = f64::from(u8::from(knobs["dtype"] == Knob::Text("fp8".to_owned())));
    let slow = number("batch") / 256.0 - number("window") / 8.0 - right;
    Evaluation {
        objectives: (!failed).then(|| vec![slow, number("memory")]),
        violation: (!failed).then(|| (0.82 - number("memory")).max(0.0)),
    }
}

fn search(space: &Space, seed: u64, evaluations: usize) -> Vec<(Point, Evaluation)> {
    let mut sampler = Tpe::new(space, seed);
    while sampler.told.len() < evaluations {
        let asked = sampler.ask(4).into_iter();
        let told: Vec<_> = asked
            .map(|point| (point.clone(), worth(space, &point)))
            .collect();
        sampler.tell(&told);
    }
    sampler.told
}

#[test]
fn mixed_and_conditional_knobs_are_learned_and_nothing_is_asked_twice() {
    let space = mixed();
    let told = search(&space, 1, 80);
    let cells: BTreeSet<Vec<i64>> = told.iter().map(|(point, _)| space.cell(point)).collect();
    assert_eq!(cells.len(), told.len());
    let late = told[40..].iter().map(|(point, _)| space.decode(point));
    let right = late.filter(|knobs| {
        knobs["dtype"] == Knob::Text("fp8".to_owned()) && knobs["cache"] == Knob::Bool(true)
    });
    assert!(right.count() >= 20, "chance finds 7 of 40");
}

#[test]
fn what_failed_or_has_no_volume_to_add_is_survived() {
    let space = mixed();
    for evaluation in [
        Evaluation {
            objectives: None,
            violation: None,
        },
        Evaluation {
            objectives: Some(vec![1.0, 1.0]),
            violation: Some(0.0),
        },
        Evaluation {
            objectives: Some(vec![f64::INFINITY, f64::MAX]),
            violation: Some(0.0),
        },
    ] {
        let mut sampler = Tpe::new(&space, 3);
        for _ in 0..20 {
            let asked = sampler.ask(1).into_iter();
            let told: Vec<_> = asked.map(|point| (point, evaluation.clone())).collect();
            sampler.tell(&told);
        }
        let genes = sampler.ask(1).remove(0).genes;
        assert!(genes.iter().all(|gene| gene.is_finite()));
    }
}

#[test]
fn a_space_that_is_used_up_is_still_asked_from() {
    let space = Space::of([("on".to_owned(), crate::Dimension::Bool)]);
    let told = search(&space, 1, 15);
    assert_eq!(told.len(), 15);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_search_resumes_after_any_tell(seed: u64, stop in 1_usize..39) {
        let space = mixed();
        let told = search(&space, seed, 40);
        let mut resumed = Tpe::new(&space, seed);
        resumed.tell(&told[..stop]);
        prop_assert_eq!(&resumed.ask(1)[0], &told[stop].0);
        for (point, _) in &told {
            let genes = space.dimensions().zip(&point.genes);
            for (dimension, gene) in genes {
                match dimension.categories() {
                    Some(count) => prop_assert!((0..count).any(|i| i as f64 == *gene)),
                    None => prop_assert!((0.0..=1.0).contains(gene)),
                }
            }
        }
    }
}
