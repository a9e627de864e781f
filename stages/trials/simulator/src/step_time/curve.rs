/// Times measured at rising sizes: linear between them, and beyond them along the upper half.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    sizes: Vec<f64>,
    seconds: Vec<f64>,
}

impl Curve {
    /// A curve through points in any order. None: there are no points.
    pub(crate) fn new(mut points: Vec<(f64, f64)>) -> Option<Self> {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.dedup_by(|a, b| a.0 == b.0);
        let (sizes, seconds) = points.into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
        (!sizes.is_empty()).then_some(Self { sizes, seconds })
    }

    pub(crate) fn sizes(&self) -> &[f64] {
        &self.sizes
    }

    pub(crate) fn at(&self, size: f64) -> f64 {
        let (low, high, weight) = bracket(&self.sizes, size);
        self.seconds[low] + (self.seconds[high] - self.seconds[low]) * weight
    }
}

/// The two places of rising values that a value is interpolated from, and the weight of the
/// second. Below the first value the first holds; beyond the last goes the line from the middle
/// of the range to it, which noise in neighbouring points does not tilt.
pub(crate) fn bracket(values: &[f64], value: f64) -> (usize, usize, f64) {
    let last = values.len() - 1;
    let above = values.partition_point(|v| *v < value);
    let (low, high) = match above {
        0 => return (0, 0, 0.0),
        above if above <= last => (above - 1, above),
        _ => {
            let middle = values.partition_point(|v| *v < values[last] / 2.0);
            (middle.min(last.saturating_sub(1)), last)
        }
    };
    if low == high {
        return (low, high, 0.0);
    }
    let weight = (value - values[low]) / (values[high] - values[low]);
    (low, high, weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_met_and_lines_lie_between_and_beyond() {
        let curve = Curve::new(vec![(4.0, 8.0), (1.0, 2.0), (2.0, 5.0)]).unwrap();
        let at = [0.0, 1.0, 1.5, 2.0, 4.0, 6.0].map(|size| curve.at(size));
        assert_eq!(at, [2.0, 2.0, 3.5, 5.0, 8.0, 11.0]);
    }

    #[test]
    fn single_point_holds_everywhere_and_none_is_none() {
        let curve = Curve::new(vec![(8.0, 3.0)]).unwrap();
        assert_eq!([1.0, 8.0, 64.0].map(|size| curve.at(size)), [3.0; 3]);
        assert_eq!(Curve::new(Vec::new()), None);
    }
}
