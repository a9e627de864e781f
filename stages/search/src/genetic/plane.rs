use super::individual::Individual;

/// Weight of the axes that an extreme point is not to follow; pymoo's.
const OFF_AXIS: f64 = 1e6;
/// Objectives this near to the ideal are at it, and ranges below this are none; pymoo's.
const NEAR: f64 = 1e-3;
const NO_RANGE: f64 = 1e-6;

/// How NSGA-III scales objectives: between the best value of each and the plane through the
/// extreme points. Both remember earlier generations.
#[derive(Clone, Default)]
pub(crate) struct Plane {
    ideal: Vec<f64>,
    worst: Vec<f64>,
    extremes: Vec<Vec<f64>>,
    nadir: Vec<f64>,
}

impl Plane {
    /// Learns the feasible individuals of a generation, front by front, one at least.
    pub(crate) fn learn(&mut self, fronts: &[Vec<Individual>]) {
        let objectives = fronts[0][0].objectives.len();
        if self.ideal.len() != objectives {
            self.ideal = vec![f64::INFINITY; objectives];
            self.worst = vec![f64::NEG_INFINITY; objectives];
            self.extremes.clear();
        }
        let worst_now = worst(fronts.iter().flatten(), objectives);
        for individual in fronts.iter().flatten() {
            for (ideal, value) in self.ideal.iter_mut().zip(&individual.objectives) {
                *ideal = ideal.min(*value);
            }
        }
        for (worst, now) in self.worst.iter_mut().zip(&worst_now) {
            *worst = worst.max(*now);
        }
        let front = fronts[0].iter().map(|i| i.objectives.clone());
        let known: Vec<Vec<f64>> = self.extremes.drain(..).chain(front).collect();
        self.extremes = (0..objectives).map(|k| self.extreme(&known, k)).collect();
        self.nadir = self
            .intercepts()
            .unwrap_or_else(|| worst(&fronts[0], objectives));
        for (k, nadir) in self.nadir.iter_mut().enumerate() {
            if *nadir - self.ideal[k] <= NO_RANGE {
                *nadir = worst_now[k];
            }
        }
    }

    /// Objectives where the ideal is 0 and the plane goes through 1 on each axis.
    pub(crate) fn scaled(&self, objectives: &[f64]) -> Vec<f64> {
        let ends = self.ideal.iter().zip(&self.nadir);
        let values = objectives.iter().zip(ends);
        values
            .map(|(value, (ideal, nadir))| (value - ideal) / (nadir - ideal).max(1e-12))
            .collect()
    }

    /// The point that is nearest to axis `k`.
    fn extreme(&self, points: &[Vec<f64>], k: usize) -> Vec<f64> {
        let off_axis = |point: &Vec<f64>| {
            let values = point.iter().zip(&self.ideal).enumerate();
            let weighted = values.map(|(i, (value, ideal))| {
                let above = value - ideal;
                let above = if above < NEAR { 0.0 } else { above };
                if i == k { above } else { above * OFF_AXIS }
            });
            weighted.fold(f64::NEG_INFINITY, f64::max)
        };
        let least = points
            .iter()
            .min_by(|a, b| off_axis(a).total_cmp(&off_axis(b)));
        least.expect("a front has a point").clone()
    }

    /// Where the plane through the extreme points cuts the axes; none when it does not.
    fn intercepts(&self) -> Option<Vec<f64>> {
        let rows = self.extremes.iter().map(|extreme| {
            let row = extreme.iter().zip(&self.ideal);
            row.map(|(value, ideal)| value - ideal).collect()
        });
        let plane = solved(rows.collect(), vec![1.0; self.ideal.len()])?;
        let ends = plane.iter().zip(&self.ideal).zip(&self.worst);
        ends.map(|((slope, ideal), worst)| {
            let intercept = 1.0 / slope;
            let sound = intercept.is_finite() && intercept > NO_RANGE;
            sound.then(|| (ideal + intercept).min(*worst))
        })
        .collect()
    }
}

fn worst<'a>(individuals: impl IntoIterator<Item = &'a Individual>, objectives: usize) -> Vec<f64> {
    let none = vec![f64::NEG_INFINITY; objectives];
    individuals.into_iter().fold(none, |worst, individual| {
        let values = worst.iter().zip(&individual.objectives);
        values.map(|(a, b)| a.max(*b)).collect()
    })
}

/// The solution of a square system by elimination with pivots; none when it is singular.
fn solved(mut rows: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&a, &b| rows[a][k].abs().total_cmp(&rows[b][k].abs()))?;
        if rows[pivot][k].abs() < f64::EPSILON {
            return None;
        }
        rows.swap(k, pivot);
        right.swap(k, pivot);
        for i in k + 1..n {
            let factor = rows[i][k] / rows[k][k];
            let (above, below) = rows.split_at_mut(i);
            for (value, pivot) in below[0][k..].iter_mut().zip(&above[k][k..]) {
                *value -= factor * pivot;
            }
            right[i] -= factor * right[k];
        }
    }
    for k in (0..n).rev() {
        let known: f64 = (k + 1..n).map(|i| rows[k][i] * right[i]).sum();
        right[k] = (right[k] - known) / rows[k][k];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::solved;

    #[test]
    fn systems_are_solved_or_told_to_be_singular() {
        let rows = vec![vec![0.0, 2.0], vec![4.0, 1.0]];
        assert_eq!(solved(rows, vec![2.0, 9.0]), Some(vec![2.0, 1.0]));
        let singular = vec![vec![1.0, 2.0], vec![2.0, 4.0]];
        assert_eq!(solved(singular, vec![1.0, 1.0]), None);
    }
}
