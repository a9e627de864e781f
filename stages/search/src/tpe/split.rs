use sbt_trials::{front_numbers, hypervolume};

use crate::point::Point;
use crate::sampler::Evaluation;

/// Share of the points that count as good. Chosen: a front needs more points than an optimum, and
/// Optuna's 0.1 is 5 of 50.
const GOOD_SHARE: f64 = 0.15;
/// Most good points; Optuna's default.
const MOST_GOOD: usize = 25;
/// How far beyond the worst of a front its volume reaches, over the range of each objective.
const MARGIN: f64 = 0.1;
/// Least weight of a good point: what adds no volume still is good.
const LEAST_WEIGHT: f64 = 0.1;

/// Points with their weights.
pub(crate) type Weighted<'a> = Vec<(&'a Point, f64)>;

/// The good points and the others. Good are the first fronts of the feasible ones, of the last
/// of these fronts what gives most volume; where they do not suffice, those with the smallest
/// violation. Good ones weigh by the volume that each adds, the others alike.
pub(crate) fn split(told: &[(Point, Evaluation)]) -> (Weighted<'_>, Weighted<'_>) {
    let count = (GOOD_SHARE * told.len() as f64).ceil() as usize;
    let mut good = chosen(told, count.min(MOST_GOOD));
    good.sort_unstable();
    let weights = weights(told, &good);
    let weighted = good.iter().zip(weights).map(|(&i, w)| (&told[i].0, w));
    let others = (0..told.len()).filter(|i| good.binary_search(i).is_err());
    (
        weighted.collect(),
        others.map(|i| (&told[i].0, 1.0)).collect(),
    )
}

/// Indices of the `count` best.
fn chosen(told: &[(Point, Evaluation)], count: usize) -> Vec<usize> {
    let violation = |i: &usize| told[*i].1.constraint_violation();
    let (feasible, mut infeasible): (Vec<usize>, Vec<usize>) =
        (0..told.len()).partition(|i| violation(i) <= 0.0);
    let points = objectives(told, &feasible);
    let numbers = front_numbers(&points);
    let mut good = Vec::with_capacity(count);
    for front in 0.. {
        let members = feasible.iter().zip(&numbers);
        let members = members.filter(|(_, number)| **number == front);
        let members: Vec<usize> = members.map(|(i, _)| *i).collect();
        let room = count - good.len();
        if members.is_empty() || room == 0 {
            break;
        }
        if members.len() <= room {
            good.extend(members);
        } else {
            let subset = subset(&scaled(&objectives(told, &members)), room);
            good.extend(subset.into_iter().map(|place| members[place]));
        }
    }
    infeasible.sort_by(|a, b| violation(a).total_cmp(&violation(b)));
    good.extend(infeasible.into_iter().take(count - good.len()));
    good
}

fn objectives<'a>(told: &'a [(Point, Evaluation)], indices: &[usize]) -> Vec<&'a [f64]> {
    let evaluations = indices.iter().map(|&i| &told[i].1);
    let objectives = evaluations.map(|e| e.objectives.as_deref().unwrap_or_default());
    objectives.collect()
}

/// Each objective over its range: 0 is the best and 1 the worst of these.
fn scaled(points: &[&[f64]]) -> Vec<Vec<f64>> {
    let count = points.first().map_or(0, |point| point.len());
    let range = |k: usize| {
        let values = points.iter().map(|point| point[k]);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(v), b.max(v))
        })
    };
    let ranges: Vec<(f64, f64)> = (0..count).map(range).collect();
    let scaled = points.iter().map(|point| {
        let values = point.iter().zip(&ranges);
        let values = values.map(|(value, (least, most))| {
            let width = most - least;
            if width > 0.0 {
                (value - least) / width
            } else {
                0.0
            }
        });
        values.collect()
    });
    scaled.collect()
}

fn volume(points: &[&Vec<f64>]) -> f64 {
    let count = points.first().map_or(0, |point| point.len());
    hypervolume(points, &vec![1.0 + MARGIN; count])
}

/// Places of the points that give most volume together, chosen one after the other. What a point
/// adds only shrinks as others are chosen, so that most need no second look.
fn subset(points: &[Vec<f64>], count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::with_capacity(count);
    let mut together: Vec<&Vec<f64>> = Vec::with_capacity(count + 1);
    let mut whole = 0.0;
    let mut left: Vec<(usize, f64)> = (0..points.len()).map(|i| (i, f64::INFINITY)).collect();
    while places.len() < count {
        let mut best: Option<(usize, f64)> = None;
        left.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (place, (i, gain)) in left.iter_mut().enumerate() {
            if best.is_some_and(|(_, most)| most >= *gain) {
                break;
            }
            together.push(&points[*i]);
            *gain = volume(&together) - whole;
            together.pop();
            if best.is_none_or(|(_, most)| *gain > most) {
                best = Some((place, *gain));
            }
        }
        let (place, gain) = best.expect("more are left than wanted");
        let (i, _) = left.remove(place);
        whole += gain;
        together.push(&points[i]);
        places.push(i);
    }
    places
}

/// Weights of good points, the greatest 1: the volume that only the point has.
fn weights(told: &[(Point, Evaluation)], good: &[usize]) -> Vec<f64> {
    let feasible: Vec<usize> = good
        .iter()
        .copied()
        .filter(|&i| told[i].1.constraint_violation() <= 0.0)
        .collect();
    if feasible.is_empty() {
        return vec![1.0; good.len()];
    }
    let points = scaled(&objectives(told, &feasible));
    let all: Vec<&Vec<f64>> = points.iter().collect();
    let whole = volume(&all);
    let own = (0..all.len()).map(|place| {
        let mut others = all.clone();
        others.remove(place);
        whole - volume(&others)
    });
    let own: Vec<f64> = own.collect();
    let most = own.iter().copied().fold(0.0, f64::max);
    let mut own = feasible.into_iter().zip(own).peekable();
    let weight = |i: &usize| match own.next_if(|(feasible, _)| feasible == i) {
        Some((_, volume)) if most > 0.0 => (volume / most).max(LEAST_WEIGHT),
        Some(_) => 1.0,
        None => LEAST_WEIGHT,
    };
    good.iter().map(weight).collect()
}
