use crate::dominance::{dominates, lexicographic};

/// Volume of the part of objective space that `points` dominate and that lies within
/// `reference`; all coordinates are minimised, units are those of the coordinates multiplied.
/// Points that do not better the reference everywhere add nothing. Exact: a staircase for two
/// objectives, a sweep along the third for three, O(n log n) comparisons each; above that WFG (While,
/// Bradstreet and Barone 2012), whose cost grows with the power of the objectives at worst.
///
/// ```
/// let points = [vec![1.0, 3.0], vec![2.0, 1.0], vec![5.0, 0.0]];
/// assert_eq!(sbt_trials::hypervolume(&points, &[4.0, 4.0]), 7.0);
/// ```
#[must_use]
pub fn hypervolume<P: AsRef<[f64]>>(points: &[P], reference: &[f64]) -> f64 {
    let inside = points.iter().map(AsRef::as_ref).filter(|point| {
        point.len() == reference.len() && point.iter().zip(reference).all(|(x, r)| x < r)
    });
    volume(inside.map(<[f64]>::to_vec).collect(), reference)
}

fn volume(points: Vec<Vec<f64>>, reference: &[f64]) -> f64 {
    match *reference {
        [] => 0.0,
        [limit] => points.iter().map(|p| limit - p[0]).fold(0.0, f64::max),
        [x, y] => staircase(points, x, y),
        [x, y, z] => sweep(points, x, y, z),
        _ => exclusive(points, reference),
    }
}

fn staircase(mut points: Vec<Vec<f64>>, x: f64, y: f64) -> f64 {
    points.sort_by(|a, b| a[1].total_cmp(&b[1]));
    let mut area = 0.0;
    let mut left = x;
    for point in points {
        if point[0] < left {
            area += (left - point[0]) * (y - point[1]);
            left = point[0];
        }
    }
    area
}

/// Slices along the third objective, each with the area of the steps below it.
fn sweep(mut points: Vec<Vec<f64>>, x: f64, y: f64, z: f64) -> f64 {
    points.sort_by(|a, b| a[2].total_cmp(&b[2]));
    let mut steps: Vec<(f64, f64)> = Vec::with_capacity(points.len());
    let (mut area, mut sum) = (0.0, 0.0);
    for (i, point) in points.iter().enumerate() {
        area += step(&mut steps, (point[0], point[1]), (x, y));
        let end = points.get(i + 1).map_or(z, |next| next[2]);
        sum += area * (end - point[2]);
    }
    sum
}

/// Adds a point to steps that ascend in the first and descend in the second coordinate; returns
/// the area that it adds.
fn step(steps: &mut Vec<(f64, f64)>, (a, b): (f64, f64), (x, y): (f64, f64)) -> f64 {
    let from = steps.partition_point(|step| step.0 < a);
    let mut top = if from > 0 { steps[from - 1].1 } else { y };
    let equal = steps
        .get(from)
        .is_some_and(|step| step.0 == a && step.1 <= b);
    if top <= b || equal {
        return 0.0;
    }
    let (mut area, mut left, mut to) = (0.0, a, from);
    while to < steps.len() && steps[to].1 >= b {
        area += (steps[to].0 - left) * (top - b);
        (left, top) = steps[to];
        to += 1;
    }
    let right = steps.get(to).map_or(x, |step| step.0);
    area += (right - left) * (top - b);
    steps.splice(from..to, [(a, b)]);
    area
}

/// The sum of what each point adds to those after it. In the order of the last objective, worst
/// first, what it shares with them is as deep as itself: one objective less.
fn exclusive(mut points: Vec<Vec<f64>>, reference: &[f64]) -> f64 {
    let (limit, rest) = (
        reference[reference.len() - 1],
        &reference[..reference.len() - 1],
    );
    let last = rest.len();
    points.sort_by(|a, b| b[last].total_cmp(&a[last]));
    let mut sum = 0.0;
    for (i, point) in points.iter().enumerate() {
        let own: f64 = rest.iter().zip(point).map(|(r, x)| r - x).product();
        let shared = points[i + 1..].iter().map(|other| {
            let worse = other[..last].iter().zip(point).map(|(a, b)| a.max(*b));
            worse.collect()
        });
        let shared = volume(undominated(shared.collect()), rest);
        sum += (own - shared).max(0.0) * (limit - point[last]);
    }
    sum
}

/// Without dominated points and repeats.
fn undominated(mut points: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    points.sort_by(|a, b| lexicographic(a, b));
    let mut front: Vec<Vec<f64>> = Vec::new();
    for point in points {
        if !front.iter().any(|p| *p == point || dominates(p, &point)) {
            front.push(point);
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{exclusive, hypervolume};

    #[test]
    fn known_volumes_are_exact() {
        let none: [Vec<f64>; 0] = [];
        assert_eq!(hypervolume(&none, &[1.0, 1.0]), 0.0);
        assert_eq!(hypervolume(&[vec![0.25]], &[1.0]), 0.75);
        assert_eq!(hypervolume(&[vec![2.0, 0.0]], &[1.0, 1.0]), 0.0);
        let corners = [
            vec![0.0, 0.5, 0.5],
            vec![0.5, 0.0, 0.5],
            vec![0.5, 0.5, 0.0],
        ];
        assert_eq!(hypervolume(&corners, &[1.0, 1.0, 1.0]), 0.5);
        assert_eq!(hypervolume(&[vec![0.5; 4]], &[1.0; 4]), 0.0625);
    }

    #[test]
    fn zdt1_front_has_its_analytic_volume() {
        let front: Vec<Vec<f64>> = (0..=20_000)
            .map(|i| f64::from(i) / 20_000.0)
            .map(|x| vec![x, 1.0 - x.sqrt()])
            .collect();
        assert!((hypervolume(&front, &[1.1, 1.1]) - 0.876_667).abs() < 1e-4);
    }

    fn points(dimensions: usize) -> impl Strategy<Value = Vec<Vec<f64>>> {
        prop::collection::vec(prop::collection::vec(0.0..1.0_f64, dimensions), 1..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn volume_grows_with_points_and_ignores_order(all in points(3)) {
            let reference = [1.0; 3];
            let whole = hypervolume(&all, &reference);
            let reversed: Vec<_> = all.iter().rev().collect();
            prop_assert!((hypervolume(&reversed, &reference) - whole).abs() < 1e-12);
            prop_assert!(hypervolume(&all[1..], &reference) <= whole + 1e-12);
            prop_assert!(whole <= 1.0 + 1e-12);
        }

        #[test]
        fn wfg_agrees_with_the_staircase_and_the_sweep(all in points(3)) {
            let flat: Vec<Vec<f64>> = all.iter().map(|point| point[..2].to_vec()).collect();
            prop_assert!((exclusive(flat.clone(), &[1.0; 2]) - hypervolume(&flat, &[1.0; 2])).abs() < 1e-12);
            prop_assert!((exclusive(all.clone(), &[1.0; 3]) - hypervolume(&all, &[1.0; 3])).abs() < 1e-12);
        }

        #[test]
        fn more_objectives_of_one_depth_change_nothing(all in points(3), depth in 0.0..0.9_f64) {
            let mut deep = all.clone();
            deep.iter_mut().for_each(|point| point.extend([depth, 0.5]));
            let expected = hypervolume(&all, &[1.0; 3]) * (1.0 - depth) * 0.5;
            prop_assert!((hypervolume(&deep, &[1.0; 5]) - expected).abs() < 1e-12);
        }

        #[test]
        fn volume_of_five_objectives_grows_with_points_and_ignores_order(all in points(5)) {
            let reference = [1.0; 5];
            let whole = hypervolume(&all, &reference);
            let reversed: Vec<_> = all.iter().rev().collect();
            prop_assert!((hypervolume(&reversed, &reference) - whole).abs() < 1e-12);
            prop_assert!(hypervolume(&all[1..], &reference) <= whole + 1e-12);
        }

        #[test]
        fn volume_is_the_sum_over_inclusion_and_exclusion(all in points(3)) {
            let few = &all[..all.len().min(6)];
            let mut expected = 0.0;
            for subset in 1_u32..1 << few.len() {
                let chosen = few.iter().enumerate().filter(|(i, _)| subset & (1 << i) != 0);
                let common = chosen.fold([0.0_f64; 3], |worst, (_, p)| {
                    [0, 1, 2].map(|k| worst[k].max(p[k]))
                });
                let volume: f64 = common.iter().map(|x| 1.0 - x).product();
                let sign = if subset.count_ones() % 2 == 1 { 1.0 } else { -1.0 };
                expected += sign * volume;
            }
            prop_assert!((hypervolume(few, &[1.0; 3]) - expected).abs() < 1e-9);
        }
    }
}
