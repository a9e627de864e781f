use super::curve::bracket;

/// Seconds measured on a grid of several axes, linear between its points. The values of an axis
/// may differ from one value of the axis before to the next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Grid {
    Point(f64),
    Axis(Vec<f64>, Vec<Grid>),
}

impl Grid {
    /// A grid through points of `N` coordinates. None: there are no points.
    pub(crate) fn new<const N: usize>(mut points: Vec<([f64; N], f64)>) -> Option<Self> {
        let by_place = |a: &[f64; N], b: &[f64; N]| {
            let order = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
            order.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        };
        points.sort_by(|a, b| by_place(&a.0, &b.0));
        (!points.is_empty()).then(|| Self::nested(&points, 0))
    }

    fn nested<const N: usize>(points: &[([f64; N], f64)], axis: usize) -> Self {
        if axis == N {
            return Self::Point(points[0].1);
        }
        let groups = points.chunk_by(|a, b| a.0[axis] == b.0[axis]);
        let (values, grids) = groups
            .map(|group| (group[0].0[axis], Self::nested(group, axis + 1)))
            .unzip();
        Self::Axis(values, grids)
    }

    /// Values of the last axis, at the first value of each axis before.
    pub(crate) fn values_of_last_axis(&self) -> &[f64] {
        match self {
            Self::Point(_) => &[],
            Self::Axis(values, grids) => match grids.first() {
                Some(grid @ Self::Axis(..)) => grid.values_of_last_axis(),
                Some(Self::Point(_)) | None => values,
            },
        }
    }

    /// Seconds at a place with as many coordinates as the grid has axes.
    pub(crate) fn at(&self, place: &[f64]) -> f64 {
        match (self, place) {
            (Self::Axis(values, grids), [value, rest @ ..]) => {
                let (low, high, weight) = bracket(values, *value);
                let at_low = grids[low].at(rest);
                if weight == 0.0 {
                    return at_low;
                }
                at_low + (grids[high].at(rest) - at_low) * weight
            }
            (Self::Axis(..), []) => f64::NAN,
            (Self::Point(seconds), _) => *seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plane_is_met_everywhere() {
        let plane = |x: f64, y: f64| 3.0 + 2.0 * x + 5.0 * y;
        // The second axis has other values at the second value of the first.
        let places = [[0.0, 0.0], [0.0, 4.0], [2.0, 1.0], [2.0, 6.0]];
        let grid = Grid::new(places.map(|[x, y]| ([x, y], plane(x, y))).to_vec()).unwrap();
        for [x, y] in [[0.0, 1.0], [1.0, 2.0], [2.0, 6.0], [3.0, 8.0]] {
            assert!((grid.at(&[x, y]) - plane(x, y)).abs() < 1e-12, "{x} {y}");
        }
    }

    #[test]
    fn grid_without_points_is_none() {
        assert_eq!(Grid::new::<2>(Vec::new()), None);
    }
}
