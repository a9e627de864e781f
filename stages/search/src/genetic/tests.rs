use proptest::prelude::*;
use sbt_trials::hypervolume;

use super::*;
use crate::dimension::Dimension;
use crate::problems::{self, Problem};

const POPULATION: usize = 100;
const GENERATIONS: usize = 200;

fn tell_all(sampler: &mut Nsga2, problem: &Problem, points: Vec<Point>) {
    let told = points.into_iter().map(|point| {
        let (objectives, violation) = problem.evaluate(&point.genes);
        let evaluation = Evaluation {
            objectives: Some(objectives),
            violation: Some(violation),
        };
        (point, evaluation)
    });
    sampler.tell(&told.collect::<Vec<_>>());
}

/// Hypervolume of the last population.
fn solve(problem: &Problem, seed: u64) -> f64 {
    let mut sampler = Nsga2::new(&problem.space(), POPULATION, seed);
    for _ in 0..GENERATIONS {
        let points = sampler.ask(POPULATION);
        tell_all(&mut sampler, problem, points);
    }
    let last = sampler.population.iter();
    let last = last.map(|individual| problem.evaluate(&individual.point.genes));
    let feasible = last.filter(|(_, violation)| *violation <= 0.0);
    let front: Vec<Vec<f64>> = feasible.map(|(objectives, _)| objectives).collect();
    hypervolume(&front, &problem.reference)
}

fn assert_as_good_as_pymoo(problem: &Problem) {
    let (mean, sd) = problem.pymoo;
    let volume = solve(problem, 1);
    assert!(volume >= mean - 2.0 * sd, "{volume} < {mean} - 2 x {sd}");
}

#[test]
fn zdt1_is_solved_as_well_as_by_pymoo() {
    assert_as_good_as_pymoo(&problems::ZDT1);
}

#[test]
fn zdt3_is_solved_as_well_as_by_pymoo() {
    assert_as_good_as_pymoo(&problems::ZDT3);
}

#[test]
fn bnh_is_solved_as_well_as_by_pymoo() {
    assert_as_good_as_pymoo(&problems::BNH);
}

#[test]
fn srn_is_solved_as_well_as_by_pymoo() {
    assert_as_good_as_pymoo(&problems::SRN);
}

#[test]
fn tnk_is_solved_as_well_as_by_pymoo() {
    assert_as_good_as_pymoo(&problems::TNK);
}

/// A run may lose an end of OSY's front for good. pymoo 0.6.2 does so in half of its runs: of
/// seeds 1 to 20 ten end below 16,500, and the lower quartile is 16,472.7. The mean and deviation
/// over seeds 1 to 5, none of which is among them, can only be asked of the best run.
#[test]
fn osy_is_solved_as_well_as_by_pymoo() {
    const LOWER_QUARTILE: f64 = 16_472.7;
    let mut volumes = [1, 2, 3, 4, 5].map(|seed| solve(&problems::OSY, seed));
    volumes.sort_by(f64::total_cmp);
    let (mean, sd) = problems::OSY.pymoo;
    assert!(volumes[4] >= mean - 2.0 * sd, "{volumes:?}");
    assert!(volumes[2] >= LOWER_QUARTILE, "{volumes:?}");
}

#[test]
fn a_small_space_is_not_proposed_twice_by_mating() {
    let bools = (0..4).map(|i| (format!("x{i}"), Dimension::Bool));
    let mut sampler = Nsga2::new(&Space::of(bools), 4, 7);
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let points = sampler.ask(4);
        let told = points.into_iter().map(|point| {
            let ones: f64 = point.genes.iter().sum();
            let evaluation = Evaluation {
                objectives: Some(vec![ones, -ones]),
                violation: Some(0.0),
            };
            (point, evaluation)
        });
        let told: Vec<_> = told.collect();
        sampler.tell(&told);
        seen.extend(told.iter().map(|(point, _)| sampler.space.cell(point)));
    }
    assert!(seen.len() >= 10, "{} of 12 differ", seen.len());
}

#[test]
fn failures_rank_behind_every_violation() {
    let individual = |objectives: Option<Vec<f64>>, violation| {
        let point = Point { genes: Vec::new() };
        let evaluation = Evaluation {
            objectives,
            violation,
        };
        Individual::new((point, evaluation))
    };
    let failed = individual(None, None);
    let infeasible = individual(Some(vec![1.0]), Some(1e9));
    let feasible = individual(Some(vec![9.0]), Some(0.0));
    assert!(infeasible.compare(&failed).is_lt());
    assert!(feasible.compare(&infeasible).is_lt());
    let survivors = survive(vec![failed.clone(), infeasible, feasible], 2);
    assert_eq!(survivors.len(), 2);
    assert!(
        survivors
            .iter()
            .all(|survivor| survivor.compare(&failed).is_lt())
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replay_of_the_history_asks_the_same(seed: u64, batches in prop::collection::vec(1_usize..15, 1..12)) {
        let mut sampler = Nsga2::new(&problems::OSY.space(), 10, seed);
        let mut again = Nsga2::new(&problems::OSY.space(), 10, seed);
        for batch in batches {
            let points = sampler.ask(batch);
            prop_assert_eq!(&points, &again.ask(batch));
            tell_all(&mut sampler, &problems::OSY, points.clone());
            tell_all(&mut again, &problems::OSY, points);
        }
    }
}
