/// Volume of the part of objective space that `points` dominate and that lies within
/// `reference`; all coordinates are minimised, units are those of the coordinates multiplied.
/// Points that do not better the reference everywhere add nothing. Exact, by slicing along one
/// objective after the other: O(n log n) for two objectives, O(n² log n) for three.
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
    sliced(inside.collect(), reference)
}

fn sliced(mut points: Vec<&[f64]>, reference: &[f64]) -> f64 {
    let Some((&limit, rest)) = reference.split_last() else {
        return 0.0;
    };
    let last = rest.len();
    points.sort_by(|a, b| a[last].total_cmp(&b[last]));
    match last {
        0 => points.first().map_or(0.0, |point| limit - point[0]),
        1 => staircase(&points, reference),
        _ => {
            let ends = points
                .iter()
                .skip(1)
                .map(|point| point[last])
                .chain([limit]);
            let slices = points.iter().zip(ends).enumerate();
            slices
                .map(|(i, (point, end))| {
                    let depth = end - point[last];
                    if depth > 0.0 {
                        depth * sliced(points[..=i].to_vec(), rest)
                    } else {
                        0.0
                    }
                })
                .sum()
        }
    }
}

/// Two objectives; points by the second one, ascending.
fn staircase(points: &[&[f64]], reference: &[f64]) -> f64 {
    let mut area = 0.0;
    let mut left = reference[0];
    for point in points {
        if point[0] < left {
            area += (left - point[0]) * (reference[1] - point[1]);
            left = point[0];
        }
    }
    area
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::hypervolume;

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
