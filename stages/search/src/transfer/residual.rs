use sbt_trials::Cholesky;

/// Standard deviations of the noise of one trial, and of what the features do not explain, that are
/// tried. Chosen: trials on common random numbers differ by a percent or a tenth.
const NOISE: [f64; 2] = [0.01, 0.05];
const UNEXPLAINED: [f64; 3] = [0.02, 0.1, 0.4];
/// Distance, in gene ranges, over which the unexplained part holds.
const REACH: f64 = 0.5;

/// Where a configuration stands for a metric: features of the ridge, each divided by nothing and
/// multiplied by the standard deviation that its coefficient has before anything is measured; and
/// its genes, each in 0..1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub(super) features: Vec<f64>,
    pub(super) genes: Vec<f64>,
}

/// What is measured over what is simulated, in logarithms: a ridge over few features plus what
/// holds in the neighbourhood of a configuration, both as one Gaussian process.
pub(super) struct Residual {
    places: Vec<Place>,
    unexplained: f64,
    factor: Cholesky,
    /// L⁻¹ y.
    whitened: Vec<f64>,
}

impl Residual {
    /// From what was observed so far; the hyperparameters are the likeliest ones of the grid.
    /// None when nothing was.
    pub(super) fn learn(observed: &[(Place, f64)]) -> Option<Self> {
        if observed.is_empty() {
            return None;
        }
        let grid = UNEXPLAINED
            .iter()
            .flat_map(|u| NOISE.iter().map(move |n| (*u, *n)));
        let fits = grid.filter_map(|(unexplained, noise)| Self::fit(observed, unexplained, noise));
        let best = fits.max_by(|a, b| a.1.total_cmp(&b.1));
        best.map(|(residual, _)| residual)
    }

    /// With given hyperparameters, and the logarithm of its likelihood.
    fn fit(observed: &[(Place, f64)], unexplained: f64, noise: f64) -> Option<(Self, f64)> {
        let places: Vec<Place> = observed.iter().map(|(place, _)| place.clone()).collect();
        let covariance: Vec<Vec<f64>> = places
            .iter()
            .enumerate()
            .map(|(i, a)| {
                let row = places.iter().enumerate();
                let row = row.map(|(j, b)| {
                    kernel(a, b, unexplained) + if i == j { noise * noise } else { 0.0 }
                });
                row.collect()
            })
            .collect();
        let factor = Cholesky::of(&covariance)?;
        let values: Vec<f64> = observed.iter().map(|(_, value)| *value).collect();
        let whitened = factor.forward(&values);
        let likelihood = -0.5 * dot(&whitened, &whitened) - factor.half_log_determinant();
        let residual = Self {
            places,
            unexplained,
            factor,
            whitened,
        };
        Some((residual, likelihood))
    }

    /// Mean and standard deviation at a place.
    pub(super) fn at(&self, place: &Place) -> (f64, f64) {
        let with = self.places.iter();
        let with: Vec<f64> = with
            .map(|known| kernel(known, place, self.unexplained))
            .collect();
        let with = self.factor.forward(&with);
        let variance = kernel(place, place, self.unexplained) - dot(&with, &with);
        (dot(&with, &self.whitened), variance.max(0.0).sqrt())
    }
}

/// Mean and standard deviation at a place before anything was observed.
pub(super) fn unknown(place: &Place) -> (f64, f64) {
    let variance = kernel(place, place, UNEXPLAINED[1]);
    (0.0, variance.sqrt())
}

fn kernel(a: &Place, b: &Place, unexplained: f64) -> f64 {
    let apart = distance_squared(&a.genes, &b.genes) / (REACH * REACH);
    dot(&a.features, &b.features) + unexplained * unexplained * (-0.5 * apart).exp()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn distance_squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(feature: f64, gene: f64) -> Place {
        Place {
            features: vec![0.7, feature],
            genes: vec![gene],
        }
    }

    #[test]
    fn a_factor_is_learnt_from_three_trials_and_holds_far_away() {
        let observed = [0.1, 0.4, 0.8].map(|gene| (place(0.0, gene), 2_f64.ln()));
        let residual = Residual::learn(&observed).unwrap();
        let (mean, sd) = residual.at(&place(0.0, 0.95));
        assert!((mean - 2_f64.ln()).abs() < 0.05, "{mean}");
        assert!(sd < 0.15, "{sd}");
        assert!(unknown(&place(0.0, 0.95)).1 > 0.7);
    }

    #[test]
    fn a_feature_that_explains_is_extrapolated() {
        let observed = [0.0, 0.5, 1.0].map(|x| (place(x, x), 0.6 * x));
        let residual = Residual::learn(&observed).unwrap();
        let (mean, sd) = residual.at(&place(2.0, 1.0));
        assert!((mean - 1.2).abs() < 3.0 * sd.max(0.05), "{mean} {sd}");
        assert!(mean > 0.7, "{mean}");
    }

    #[test]
    fn nothing_observed_is_nothing_learnt() {
        assert!(Residual::learn(&[]).is_none());
    }
}
