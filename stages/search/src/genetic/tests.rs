use proptest::prelude::*;
use sbt_trials::hypervolume;

use super::tournament::compare;
use super::*;
use crate::dimension::Dimension;
use crate::problems::{self, Problem};

const GENERATIONS: usize = 200;

fn tell_all<S: Survival>(sampler: &mut Genetic<S>, problem: &Problem, points: Vec<Point>) {
    let told = points.into_iter().map(|point| {
        let evaluation = problem.evaluate(&point);
        (point, evaluation)
    });
    sampler.tell(&told.collect::<Vec<_>>());
}

/// Mean hypervolume of the fronts, over seeds 1 to `seeds`.
fn solved<S: Survival>(problem: &Problem, size: usize, seeds: u64) -> f64 {
    let volumes = (1..=seeds).map(|seed| {
        let mut sampler = Genetic::<S>::new(&problem.space(), size, seed);
        for _ in 0..GENERATIONS {
            let points = sampler.ask(size);
            tell_all(&mut sampler, problem, points);
        }
        let front: Vec<Vec<f64>> = sampler.front().into_iter().map(|(_, f)| f).collect();
        assert!(front.len() <= size);
        hypervolume(&front, &problem.reference)
    });
    volumes.sum::<f64>() / seeds as f64
}

/// Means of pymoo 0.6.2's NSGA-II after 100 x 200 evaluations, over seeds 1 to 5.
#[test]
fn problems_of_two_objectives_are_solved_better_than_by_pymoo() {
    for (name, problem, pymoo) in [
        ("zdt1", problems::zdt1(30), 0.867_94),
        ("zdt2", problems::zdt2(30), 0.534_13),
        ("zdt3", problems::zdt3(30), 1.325_92),
        ("bnh", problems::bnh(), 5251.20),
        ("srn", problems::srn(), 25_991.6),
    ] {
        let volume = solved::<Crowding>(&problem, 100, 5);
        assert!(volume >= pymoo, "{name}: {volume} < {pymoo}");
    }
}

/// pymoo's mean and standard deviation. Ours is a little behind, 0.4290: jumps of the mutation cost some
/// of its evaluations where there are two variables, and what finer boxes add, 0.0005 with all their
/// members, is lost when they are thinned to a hundred.
#[test]
fn tnk_is_solved_nearly_as_well_as_by_pymoo() {
    let (mean, sd) = (0.429_34, 0.000_34);
    let volume = solved::<Crowding>(&problems::tnk(), 100, 5);
    assert!(volume >= mean - 2.0 * sd, "{volume} < {mean} - 2 x {sd}");
}

/// A run may miss an end of OSY's front for good. pymoo 0.6.2 does so in half of its runs: of seeds
/// 1 to 20 ten end below 16,500. Its seeds 1 to 5, none of which is among them, have this mean.
#[test]
fn osy_is_solved_better_than_by_pymoo() {
    let volume = solved::<Crowding>(&problems::osy(), 100, 5);
    assert!(volume >= 16_682.1, "{volume}");
}

/// Mean of pymoo 0.6.2's NSGA-III after 92 x 200 evaluations with 12 partitions.
#[test]
fn three_objectives_are_solved_better_than_by_pymoo() {
    let volume = solved::<Niching>(&problems::dtlz2(12), 92, 5);
    assert!(volume >= 0.743_17, "{volume}");
}

#[test]
fn niching_copes_with_two_objectives_and_constraints() {
    let volume = solved::<Niching>(&problems::bnh(), 100, 1);
    assert!(volume >= 5200.0, "{volume}");
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
    assert!(compare::<Crowding>(&infeasible, &failed).is_lt());
    assert!(compare::<Crowding>(&feasible, &infeasible).is_lt());
    let pool = vec![failed.clone(), infeasible, feasible];
    let survivors = survive(&mut Crowding, pool, 2, &mut ChaCha8Rng::seed_from_u64(1));
    assert_eq!(survivors.len(), 2);
    for survivor in &survivors {
        assert!(compare::<Crowding>(survivor, &failed).is_lt());
    }
}

/// Asks and tells in the given batches, twice.
fn replayed<S: Survival>(
    seed: u64,
    problem: &Problem,
    batches: &[usize],
) -> Result<(), TestCaseError> {
    let mut sampler = Genetic::<S>::new(&problem.space(), 10, seed);
    let mut again = Genetic::<S>::new(&problem.space(), 10, seed);
    for batch in batches {
        let points = sampler.ask(*batch);
        prop_assert_eq!(&points, &again.ask(*batch));
        tell_all(&mut sampler, problem, points.clone());
        tell_all(&mut again, problem, points);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replay_of_the_history_asks_the_same(seed: u64, batches in prop::collection::vec(1_usize..15, 1..12)) {
        replayed::<Crowding>(seed, &problems::osy(), &batches)?;
        replayed::<Niching>(seed, &problems::dtlz2(5), &batches)?;
    }
}
