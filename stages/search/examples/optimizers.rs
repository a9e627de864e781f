//! Solves reference problems for `benches/optimizers/run`, and measures everybody's fronts.
//!
//! * `optimizers solve nsga2|nsga3|tpe PROBLEM SEED EVALUATIONS` prints the front: a JSON list of
//!   lists of objectives. Genetic samplers give their population joined with their archive, thinned; TPE
//!   that of all it asked, as Optuna does.
//! * `optimizers volumes` reads lines of JSON with `problem` and `front`, and writes them with
//!   `hypervolume` instead of the front.

use std::io::{BufRead, Write};

use sbt_search::problems::{Problem, bnh, dtlz2, osy, srn, tnk, zdt1, zdt2, zdt3};
use sbt_search::{Nsga2, Nsga3, Sampler, Tpe};
use sbt_trials::{front_numbers, hypervolume};
use serde_json::{Value, json};

const USAGE: &str = "usage: optimizers solve ALGORITHM PROBLEM SEED EVALUATIONS | volumes";
/// Points of a generation: pymoo's example for 12 partitions of three objectives, and the usual 100.
const NSGA3_SIZE: usize = 92;
const NSGA2_SIZE: usize = 100;

type Failure = Box<dyn std::error::Error>;
type Front = Vec<Vec<f64>>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut out = std::io::stdout().lock();
    match words[..] {
        ["solve", algorithm, problem, seed, evaluations] => {
            let few = algorithm == "tpe";
            let problem = named(problem, few).ok_or(USAGE)?;
            let front = solve(algorithm, &problem, seed.parse()?, evaluations.parse()?)?;
            writeln!(out, "{}", json!(front))?;
        }
        ["volumes"] => {
            for line in std::io::stdin().lock().lines() {
                writeln!(out, "{}", with_volume(&line?)?)?;
            }
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

/// A problem; with fewer variables for budgets of `few` evaluations.
fn named(name: &str, few: bool) -> Option<Problem> {
    let zdt_variables = if few { 10 } else { 30 };
    match name {
        "zdt1" => Some(zdt1(zdt_variables)),
        "zdt2" => Some(zdt2(zdt_variables)),
        "zdt3" => Some(zdt3(zdt_variables)),
        "dtlz2" => Some(dtlz2(if few { 7 } else { 12 })),
        "bnh" => Some(bnh()),
        "srn" => Some(srn()),
        "tnk" => Some(tnk()),
        "osy" => Some(osy()),
        _ => None,
    }
}

fn solve(
    algorithm: &str,
    problem: &Problem,
    seed: u64,
    evaluations: usize,
) -> Result<Front, Failure> {
    let space = problem.space();
    match algorithm {
        "nsga2" => {
            let mut sampler = Nsga2::new(&space, NSGA2_SIZE, seed);
            run(&mut sampler, problem, evaluations);
            Ok(sampler.front().into_iter().map(|(_, f)| f).collect())
        }
        "nsga3" => {
            let mut sampler = Nsga3::new(&space, NSGA3_SIZE, seed);
            run(&mut sampler, problem, evaluations);
            Ok(sampler.front().into_iter().map(|(_, f)| f).collect())
        }
        "tpe" => Ok(run(&mut Tpe::new(&space, seed), problem, evaluations)),
        _ => Err(USAGE.into()),
    }
}

/// Evaluates what the sampler asks; the front of all of it.
fn run(sampler: &mut dyn Sampler, problem: &Problem, evaluations: usize) -> Front {
    let mut feasible = Vec::new();
    let mut left = evaluations;
    while left > 0 {
        let points = sampler.ask(left).into_iter();
        let told = points.map(|point| (problem.evaluate(&point), point));
        let told: Vec<_> = told
            .map(|(evaluation, point)| (point, evaluation))
            .collect();
        left -= told.len();
        let worth = told.iter().map(|(_, evaluation)| evaluation);
        let worth = worth.filter(|evaluation| evaluation.constraint_violation() <= 0.0);
        feasible.extend(worth.filter_map(|evaluation| evaluation.objectives.clone()));
        sampler.tell(&told);
    }
    let numbers = front_numbers(&feasible).into_iter();
    let front = feasible.into_iter().zip(numbers);
    front
        .filter_map(|(f, number)| (number == 0).then_some(f))
        .collect()
}

fn with_volume(line: &str) -> Result<Value, Failure> {
    let mut value: Value = serde_json::from_str(line)?;
    let name = value["problem"].as_str().ok_or("no problem")?;
    let problem = named(name, false).ok_or("an unknown problem")?;
    let front: Front = serde_json::from_value(value["front"].take())?;
    let fields = value.as_object_mut().ok_or("not an object")?;
    fields.remove("front");
    fields.insert(
        "hypervolume".to_owned(),
        json!(hypervolume(&front, &problem.reference)),
    );
    Ok(value)
}
