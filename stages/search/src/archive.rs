use std::collections::BTreeMap;

use crate::point::Point;

/// Boxes along a front, about: what many members more would add is noise. Chosen.
const BOXES: f64 = 1024.0;
/// Differences below this share of a value are none. Chosen.
const PRECISION: f64 = 1e-12;

/// The best of everything that was told (Laumanns et al. 2002). Objectives are divided into boxes; no
/// member's box is behind another's, and a box has one member, the nearest to its corner. So no member
/// dominates another, and to everything told there is a member that is at most a box worse.
///
/// Boxes are as large as the range of the members asks for. They only grow, each into one of twice
/// the size, so that what they promise holds for what came before.
#[derive(Debug, Clone, Default)]
pub(crate) struct Archive {
    members: BTreeMap<Vec<i64>, Member>,
    axes: Vec<Axis>,
}

#[derive(Debug, Clone)]
struct Member {
    point: Point,
    objectives: Vec<f64>,
}

/// One objective: values that members had, and the length of a box, a power of two.
#[derive(Debug, Clone, Copy)]
struct Axis {
    low: f64,
    high: f64,
    length: f64,
}

impl Archive {
    /// Learns a feasible point; one with an infinite objective is no use.
    pub(crate) fn tell(&mut self, point: &Point, objectives: &[f64]) {
        let useful = objectives.iter().all(|value| value.is_finite());
        if !useful || self.refuses(&self.corner(objectives), objectives) {
            return;
        }
        self.widen(objectives);
        self.insert(Member {
            point: point.clone(),
            objectives: objectives.to_vec(),
        });
    }

    /// The members, each with its objectives.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&Point, &[f64])> {
        let members = self.members.values();
        members.map(|member| (&member.point, member.objectives.as_slice()))
    }

    fn insert(&mut self, member: Member) {
        let corner = self.corner(&member.objectives);
        if !self.refuses(&corner, &member.objectives) {
            let behind = self.members.extract_if(corner.clone().., |other, _| {
                corner.iter().zip(other).all(|(a, b)| a <= b)
            });
            behind.for_each(drop);
            self.members.insert(corner, member);
        }
    }

    /// Whether another's box is before this one, or another is nearer to its corner.
    fn refuses(&self, corner: &Vec<i64>, objectives: &[f64]) -> bool {
        // Of two objectives the second falls from member to member: the last before is the best.
        let looked_at = if corner.len() <= 2 { 1 } else { usize::MAX };
        let before = self.members.range(..=corner.clone()).rev();
        before.take(looked_at).any(|(other, member)| {
            if other == corner {
                self.off_corner(&member.objectives) <= self.off_corner(objectives)
            } else {
                other.iter().zip(corner).all(|(a, b)| a <= b)
            }
        })
    }

    /// Makes room for a point: boxes grow, and members that share one then are thinned.
    fn widen(&mut self, objectives: &[f64]) {
        if self.axes.len() != objectives.len() {
            self.members.clear();
            self.axes = objectives.iter().map(|value| Axis::at(*value)).collect();
        }
        let along = along(objectives.len());
        let mut grown = false;
        for (axis, value) in self.axes.iter_mut().zip(objectives) {
            grown |= axis.widen(*value, along);
        }
        if grown {
            for member in std::mem::take(&mut self.members).into_values() {
                self.insert(member);
            }
        }
    }

    /// Which box, counted from 0 along each objective.
    fn corner(&self, objectives: &[f64]) -> Vec<i64> {
        let values = self.axes.iter().zip(objectives);
        values
            .map(|(axis, value)| (value / axis.length).floor() as i64)
            .collect()
    }

    /// Distance from the corner of the box, squared, where boxes have the length 1.
    fn off_corner(&self, objectives: &[f64]) -> f64 {
        let values = self.axes.iter().zip(objectives);
        let off = values.map(|(axis, value)| (value / axis.length).rem_euclid(1.0));
        off.map(|off| off * off).sum()
    }
}

/// Boxes along each of some objectives. Members differ in all but one of the objectives.
fn along(objectives: usize) -> f64 {
    BOXES.powf(1.0 / objectives.saturating_sub(1).max(1) as f64)
}

impl Axis {
    fn at(value: f64) -> Self {
        Self {
            low: value,
            high: value,
            length: f64::MIN_POSITIVE,
        }
    }

    /// Whether the boxes grew.
    fn widen(&mut self, value: f64, along: f64) -> bool {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        let needed = (self.high / along - self.low / along).max(value.abs() * PRECISION);
        let grows = needed > self.length;
        if grows {
            self.length = needed.log2().ceil().min(1023.0).exp2();
        }
        grows
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sbt_trials::dominates;

    use super::*;

    fn told(points: &[Vec<f64>]) -> Archive {
        let mut archive = Archive::default();
        for objectives in points {
            archive.tell(&Point { genes: Vec::new() }, objectives);
        }
        archive
    }

    /// Points of equal numbers of objectives, some alike in one of them, of sizes far apart.
    fn points() -> impl Strategy<Value = Vec<Vec<f64>>> {
        let value = prop_oneof![
            -1.0..1.0_f64,
            (-3..3_i32).prop_map(f64::from),
            (-1e6..1e6_f64),
            (0.0..1e-6_f64),
        ];
        (1_usize..4).prop_flat_map(move |n| {
            prop::collection::vec(prop::collection::vec(value.clone(), n), 1..200)
        })
    }

    #[test]
    fn of_a_line_one_a_box_is_kept_and_both_ends() {
        let line: Vec<Vec<f64>> = (0..=20_000)
            .map(|i| f64::from(i) / 20_000.0)
            .map(|x| vec![x, 1.0 - x])
            .collect();
        let archive = told(&line);
        assert!(
            (500..=1026).contains(&archive.members.len()),
            "{}",
            archive.members.len()
        );
        let firsts = archive.members().map(|(_, objectives)| objectives[0]);
        let (low, high) = firsts.fold((1.0_f64, 0.0_f64), |(low, high), x| {
            (low.min(x), high.max(x))
        });
        assert!(low < 2e-3 && high > 1.0 - 2e-3, "{low} {high}");
    }

    #[test]
    fn extremes_of_numbers_are_survived() {
        let (max, inf) = (f64::MAX, f64::INFINITY);
        let archive = told(&[
            vec![max, -max],
            vec![-max, max],
            vec![inf, -inf],
            vec![0.0, 0.0],
            vec![f64::NAN, 0.0],
        ]);
        assert!((1..=3).contains(&archive.members.len()));
        assert_eq!(told(&[vec![]]).members.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_member_dominates_another(points in points()) {
            let archive = told(&points);
            for (_, a) in archive.members() {
                for (_, b) in archive.members() {
                    prop_assert!(!dominates(a, b));
                }
            }
        }

        #[test]
        fn to_everything_told_a_member_is_at_most_a_box_worse(points in points()) {
            let archive = told(&points);
            for objectives in &points {
                let near = |member: &[f64]| {
                    let values = member.iter().zip(objectives).zip(&archive.axes);
                    values.into_iter().all(|((m, told), axis)| *m <= told + axis.length)
                };
                prop_assert!(archive.members().any(|(_, member)| near(member)));
            }
        }

        #[test]
        fn members_are_no_more_than_boxes_along_a_front(points in points()) {
            let archive = told(&points);
            let objectives = points[0].len();
            let bound = (along(objectives) + 2.0).powi(objectives as i32 - 1);
            prop_assert!(archive.members.len() as f64 <= bound);
            for axis in &archive.axes {
                prop_assert!((axis.high - axis.low) / axis.length <= along(objectives) * 1.000_001);
            }
        }
    }
}
