use sbt_trials::hypervolume;

use super::*;
use crate::problems::{PROBLEMS, Problem};

const POPULATION: usize = 100;
const GENERATIONS: usize = 200;
/// Seeds whose mean is compared with the mean of pymoo's five.
const SEEDS: [u64; 2] = [1, 2];

fn solve(problem: &Problem, seed: u64) -> f64 {
    let mut sampler = Nsga2::new(&problem.space(), POPULATION, seed);
    let mut found: Vec<Vec<f64>> = Vec::new();
    for generation in 0..GENERATIONS {
        let told: Vec<(Point, Evaluation)> = sampler
            .ask(POPULATION)
            .into_iter()
            .map(|point| {
                let (objectives, violation) = problem.evaluate(&point.genes);
                let evaluation = Evaluation {
                    objectives: Some(objectives),
                    violation: Some(violation),
                };
                (point, evaluation)
            })
            .collect();
        sampler.tell(&told);
        if generation + 1 == GENERATIONS {
            let last = sampler
                .population
                .iter()
                .map(|i| problem.evaluate(&i.point.genes));
            found.extend(
                last.filter(|(_, violation)| *violation <= 0.0)
                    .map(|(f, _)| f),
            );
        }
    }
    hypervolume(&found, &problem.reference)
}

#[test]
fn reference_problems_are_solved_as_well_as_pymoo_does() {
    for problem in PROBLEMS {
        let mean = SEEDS.map(|seed| solve(problem, seed)).iter().sum::<f64>() / SEEDS.len() as f64;
        let (pymoo, sd) = problem.pymoo;
        println!("{}: {mean:.5}, pymoo {pymoo} +- {sd}", problem.name);
        assert!(
            mean >= pymoo - 2.0 * sd,
            "{}: {mean} < {pymoo} - 2 x {sd}",
            problem.name
        );
    }
}
