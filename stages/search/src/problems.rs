//! Reference problems for samplers, as pymoo 0.6.2 states them: all objectives minimised,
//! constraints at most 0. ZDT: Zitzler, Deb and Thiele 2000; DTLZ: Deb et al. 2002; BNH, SRN, TNK,
//! OSY: Deb 2001, chapter 7.

use std::f64::consts::{FRAC_PI_2, PI};

use crate::dimension::Dimension;
use crate::point::Point;
use crate::sampler::Evaluation;
use crate::space::Space;

/// Objectives and constraints.
type Values = (Vec<f64>, Vec<f64>);

/// A problem over real numbers.
#[derive(Debug, Clone)]
pub struct Problem {
    bounds: Vec<(f64, f64)>,
    values: fn(&[f64]) -> Values,
    /// Where its hypervolume ends.
    pub reference: Vec<f64>,
}

impl Problem {
    /// Its variables, all scaled to 0..1.
    #[must_use]
    pub fn space(&self) -> Space {
        let unit = |i| {
            let dimension = Dimension::Float {
                min: 0.0,
                max: 1.0,
                log: false,
            };
            (format!("x{i:02}"), dimension)
        };
        Space::of((0..self.bounds.len()).map(unit))
    }

    /// What a point of its space is worth. The violation is the sum of the constraints above 0.
    #[must_use]
    pub fn evaluate(&self, point: &Point) -> Evaluation {
        let genes = point.genes.iter().zip(&self.bounds);
        let x: Vec<f64> = genes.map(|(g, (a, b))| a + (b - a) * g).collect();
        let (objectives, constraints) = (self.values)(&x);
        Evaluation {
            objectives: Some(objectives),
            violation: Some(constraints.iter().map(|g| g.max(0.0)).sum()),
        }
    }
}

fn unit(n: usize, objectives: usize, values: fn(&[f64]) -> Values) -> Problem {
    Problem {
        bounds: vec![(0.0, 1.0); n],
        values,
        reference: vec![1.1; objectives],
    }
}

/// The first objective of a ZDT problem, and how far its other variables are from the front.
fn zdt(x: &[f64]) -> (f64, f64) {
    let mean = x[1..].iter().sum::<f64>() / (x.len() - 1) as f64;
    (x[0], 1.0 + 9.0 * mean)
}

/// ZDT1 of `n` variables, 2 at least: a convex front.
#[must_use]
pub fn zdt1(n: usize) -> Problem {
    unit(n, 2, |x| {
        let (f, g) = zdt(x);
        (vec![f, g * (1.0 - (f / g).sqrt())], vec![])
    })
}

/// ZDT2 of `n` variables, 2 at least: a concave front.
#[must_use]
pub fn zdt2(n: usize) -> Problem {
    unit(n, 2, |x| {
        let (f, g) = zdt(x);
        (vec![f, g * (1.0 - (f / g).powi(2))], vec![])
    })
}

/// ZDT3 of `n` variables, 2 at least: a front of five pieces.
#[must_use]
pub fn zdt3(n: usize) -> Problem {
    unit(n, 2, |x| {
        let (f, g) = zdt(x);
        let share = f / g;
        let wave = share * (10.0 * PI * f).sin();
        (vec![f, g * (1.0 - share.sqrt() - wave)], vec![])
    })
}

/// DTLZ2 of `n` variables, 3 at least, and three objectives: an eighth of a sphere.
#[must_use]
pub fn dtlz2(n: usize) -> Problem {
    unit(n, 3, |x| {
        let far = x[2..].iter().map(|x| (x - 0.5).powi(2)).sum::<f64>();
        let (a, b) = (x[0] * FRAC_PI_2, x[1] * FRAC_PI_2);
        let on_sphere = [a.cos() * b.cos(), a.cos() * b.sin(), a.sin()];
        (on_sphere.map(|f| (1.0 + far) * f).to_vec(), vec![])
    })
}

/// BNH: two variables, two constraints.
#[must_use]
pub fn bnh() -> Problem {
    Problem {
        bounds: vec![(0.0, 5.0), (0.0, 3.0)],
        values: |x| {
            let (a, b) = (x[0], x[1]);
            let f1 = 4.0 * a * a + 4.0 * b * b;
            let f2 = (a - 5.0).powi(2) + (b - 5.0).powi(2);
            let g1 = ((a - 5.0).powi(2) + b * b - 25.0) / 25.0;
            let g2 = -((a - 8.0).powi(2) + (b + 3.0).powi(2) - 7.7) / 7.7;
            (vec![f1, f2], vec![g1, g2])
        },
        reference: vec![140.0, 50.0],
    }
}

/// SRN: two variables, two constraints.
#[must_use]
pub fn srn() -> Problem {
    Problem {
        bounds: vec![(-20.0, 20.0), (-20.0, 20.0)],
        values: |x| {
            let (a, b) = (x[0], x[1]);
            let f1 = 2.0 + (a - 2.0).powi(2) + (b - 1.0).powi(2);
            let f2 = 9.0 * a - (b - 1.0).powi(2);
            (
                vec![f1, f2],
                vec![a * a + b * b - 225.0, a - 3.0 * b + 10.0],
            )
        },
        reference: vec![230.0, 0.0],
    }
}

/// TNK: two variables, two constraints, a front of pieces along the first.
#[must_use]
pub fn tnk() -> Problem {
    Problem {
        bounds: vec![(0.0, PI), (1e-30, PI)],
        values: |x| {
            let (a, b) = (x[0], x[1]);
            let g1 = -(a * a + b * b - 1.0 - 0.1 * (16.0 * (a / b).atan()).cos());
            let g2 = 2.0 * ((a - 0.5).powi(2) + (b - 0.5).powi(2)) - 1.0;
            (vec![a, b], vec![g1, g2])
        },
        reference: vec![1.1, 1.1],
    }
}

/// OSY: six variables, six constraints, a front of five pieces along constraints.
#[must_use]
pub fn osy() -> Problem {
    Problem {
        bounds: vec![
            (0.0, 10.0),
            (0.0, 10.0),
            (1.0, 5.0),
            (0.0, 6.0),
            (1.0, 5.0),
            (0.0, 10.0),
        ],
        values: |x| {
            let f1 = -(25.0 * (x[0] - 2.0).powi(2)
                + (x[1] - 2.0).powi(2)
                + (x[2] - 1.0).powi(2)
                + (x[3] - 4.0).powi(2)
                + (x[4] - 1.0).powi(2));
            let f2 = x.iter().map(|v| v * v).sum();
            let at_least_zero = [
                (x[0] + x[1] - 2.0) / 2.0,
                (6.0 - x[0] - x[1]) / 6.0,
                (2.0 - x[1] + x[0]) / 2.0,
                (2.0 - x[0] + 3.0 * x[1]) / 2.0,
                (4.0 - (x[2] - 3.0).powi(2) - x[3]) / 4.0,
                ((x[4] - 3.0).powi(2) + x[5] - 4.0) / 4.0,
            ];
            (vec![f1, f2], at_least_zero.iter().map(|g| -g).collect())
        },
        reference: vec![0.0, 80.0],
    }
}
