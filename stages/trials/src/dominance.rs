use std::cmp::Ordering;

/// Whether `a` is nowhere worse than `b` and somewhere better; all coordinates minimised.
#[must_use]
pub fn dominates(a: &[f64], b: &[f64]) -> bool {
    let nowhere_worse = a.iter().zip(b).all(|(a, b)| a <= b);
    nowhere_worse && a.iter().zip(b).any(|(a, b)| a < b)
}

/// Front of each point: 0 for what nothing dominates, then what only front 0 dominates, …
/// (non-dominated sorting). In lexicographic order no point dominates one before it, so each
/// goes to the first front without a point that dominates it (ENS-BS, Zhang et al. 2015).
/// O(n log n) comparisons for two objectives, where the last point of a front stands for it.
#[must_use]
pub fn front_numbers<P: AsRef<[f64]>>(points: &[P]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| lexicographic(points[a].as_ref(), points[b].as_ref()));
    let mut numbers = vec![0; points.len()];
    let mut fronts: Vec<Vec<&[f64]>> = Vec::new();
    for i in order {
        let point = points[i].as_ref();
        let looked_at = if point.len() <= 2 { 1 } else { usize::MAX };
        let number = fronts.partition_point(|front| {
            let last = front.iter().rev().take(looked_at);
            last.into_iter().any(|other| dominates(other, point))
        });
        match fronts.get_mut(number) {
            Some(front) => front.push(point),
            None => fronts.push(vec![point]),
        }
        numbers[i] = number as u64;
    }
    numbers
}

/// Order by the first coordinate, then the second, …
pub(crate) fn lexicographic(a: &[f64], b: &[f64]) -> Ordering {
    let coordinates = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    coordinates.fold(Ordering::Equal, Ordering::then)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{dominates, front_numbers};

    #[test]
    fn equal_points_do_not_dominate_each_other() {
        assert!(!dominates(&[1.0, 2.0], &[1.0, 2.0]));
        assert!(dominates(&[1.0, 2.0], &[1.0, 3.0]));
        assert!(!dominates(&[0.0, 3.0], &[1.0, 2.0]));
    }

    #[test]
    fn fronts_peel_off_in_order() {
        let points = [[2.0, 2.0], [1.0, 3.0], [3.0, 3.0], [4.0, 4.0], [2.0, 2.0]];
        assert_eq!(front_numbers(&points), [0, 0, 1, 2, 0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_front_is_one_behind_the_last_that_dominates_it(
            points in (1..=4_usize).prop_flat_map(|objectives| {
                prop::collection::vec(prop::collection::vec((0..6).prop_map(f64::from), objectives), 1..25)
            }),
        ) {
            let fronts = front_numbers(&points);
            for (point, front) in points.iter().zip(&fronts) {
                let before = points.iter().zip(&fronts).filter(|(other, _)| dominates(other, point));
                let expected = before.map(|(_, front)| front + 1).max().unwrap_or(0);
                prop_assert_eq!(*front, expected);
            }
        }
    }
}
