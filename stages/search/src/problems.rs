//! Reference problems, as pymoo 0.6.2 states them: all minimised, constraints at most 0.

use std::f64::consts::PI;

use crate::dimension::Dimension;
use crate::space::Space;

/// Objectives and constraints.
type Values = (Vec<f64>, Vec<f64>);

/// A problem with its reference point, and what pymoo's NSGA-II reaches with 100 x 200
/// evaluations: mean and standard deviation of the hypervolume over seeds 1 to 5.
pub(crate) struct Problem {
    bounds: fn() -> Vec<(f64, f64)>,
    evaluate: fn(&[f64]) -> Values,
    pub(crate) reference: [f64; 2],
    pub(crate) pymoo: (f64, f64),
}

impl Problem {
    pub(crate) fn space(&self) -> Space {
        let count = (self.bounds)().len();
        let unit = |i| {
            let dimension = Dimension::Float {
                min: 0.0,
                max: 1.0,
                log: false,
            };
            (format!("x{i:02}"), dimension)
        };
        Space::of((0..count).map(unit))
    }

    /// Objectives and the sum of violations at genes in 0..1.
    pub(crate) fn evaluate(&self, genes: &[f64]) -> (Vec<f64>, f64) {
        let bounds = (self.bounds)();
        let x: Vec<f64> = genes
            .iter()
            .zip(bounds)
            .map(|(g, (a, b))| a + (b - a) * g)
            .collect();
        let (objectives, constraints) = (self.evaluate)(&x);
        (objectives, constraints.iter().map(|g| g.max(0.0)).sum())
    }
}

fn zdt(x: &[f64]) -> f64 {
    1.0 + 9.0 * x[1..].iter().sum::<f64>() / (x.len() - 1) as f64
}

fn unit_30() -> Vec<(f64, f64)> {
    vec![(0.0, 1.0); 30]
}

pub(crate) const ZDT1: Problem = Problem {
    bounds: unit_30,
    evaluate: |x| (vec![x[0], zdt(x) * (1.0 - (x[0] / zdt(x)).sqrt())], vec![]),
    reference: [1.1, 1.1],
    pymoo: (0.867_94, 0.000_44),
};

pub(crate) const ZDT3: Problem = Problem {
    bounds: unit_30,
    evaluate: |x| {
        let (f, g) = (x[0], zdt(x));
        (
            vec![
                f,
                g * (1.0 - (f / g).sqrt() - f / g * (10.0 * PI * f).sin()),
            ],
            vec![],
        )
    },
    reference: [1.1, 1.1],
    pymoo: (1.325_92, 0.000_26),
};

pub(crate) const BNH: Problem = Problem {
    bounds: || vec![(0.0, 5.0), (0.0, 3.0)],
    evaluate: |x| {
        let (a, b) = (x[0], x[1]);
        let f = vec![
            4.0 * a * a + 4.0 * b * b,
            (a - 5.0).powi(2) + (b - 5.0).powi(2),
        ];
        let g1 = ((a - 5.0).powi(2) + b * b - 25.0) / 25.0;
        let g2 = -((a - 8.0).powi(2) + (b + 3.0).powi(2) - 7.7) / 7.7;
        (f, vec![g1, g2])
    },
    reference: [140.0, 50.0],
    pymoo: (5251.20, 1.54),
};

pub(crate) const SRN: Problem = Problem {
    bounds: || vec![(-20.0, 20.0), (-20.0, 20.0)],
    evaluate: |x| {
        let (a, b) = (x[0], x[1]);
        let f = vec![
            2.0 + (a - 2.0).powi(2) + (b - 1.0).powi(2),
            9.0 * a - (b - 1.0).powi(2),
        ];
        (f, vec![a * a + b * b - 225.0, a - 3.0 * b + 10.0])
    },
    reference: [230.0, 0.0],
    pymoo: (25_991.6, 10.9),
};

pub(crate) const TNK: Problem = Problem {
    bounds: || vec![(0.0, PI), (1e-30, PI)],
    evaluate: |x| {
        let (a, b) = (x[0], x[1]);
        let g1 = -(a * a + b * b - 1.0 - 0.1 * (16.0 * (a / b).atan()).cos());
        let g2 = 2.0 * ((a - 0.5).powi(2) + (b - 0.5).powi(2)) - 1.0;
        (vec![a, b], vec![g1, g2])
    },
    reference: [1.1, 1.1],
    pymoo: (0.429_34, 0.000_34),
};

pub(crate) const OSY: Problem = Problem {
    bounds: || {
        vec![
            (0.0, 10.0),
            (0.0, 10.0),
            (1.0, 5.0),
            (0.0, 6.0),
            (1.0, 5.0),
            (0.0, 10.0),
        ]
    },
    evaluate: |x| {
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
    reference: [0.0, 80.0],
    pymoo: (16_682.1, 9.3),
};
