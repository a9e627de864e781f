/// Weight of what was believed before, in trials. Chosen.
const PRIOR_TRIALS: f64 = 1.0;
/// Distance over which a failure speaks for its neighbours, in gene ranges.
const REACH: f64 = 0.4;

/// How likely a configuration ends `ok`: trials that ended well and badly, weighted by how near
/// they are, and what was believed before.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feasibility {
    trials: Vec<(Vec<f64>, bool)>,
}

impl Feasibility {
    /// Adds a trial at a place, whose coordinates are in 0..1.
    pub(crate) fn learn(&mut self, place: Vec<f64>, ended_well: bool) {
        self.trials.push((place, ended_well));
    }

    /// Probability at a place of which `believed` was believed before any trial.
    pub(crate) fn at(&self, place: &[f64], believed: f64) -> f64 {
        let mut well = PRIOR_TRIALS * believed;
        let mut all = PRIOR_TRIALS;
        for (known, ended_well) in &self.trials {
            let apart: f64 = known.iter().zip(place).map(|(a, b)| (a - b).powi(2)).sum();
            let weight = (-0.5 * apart / (REACH * REACH)).exp();
            all += weight;
            well += if *ended_well { weight } else { 0.0 };
        }
        well / all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_speak_for_their_neighbours_and_not_for_the_others() {
        let mut feasibility = Feasibility::default();
        assert_eq!(feasibility.at(&[0.5, 0.5], 0.9), 0.9);
        feasibility.learn(vec![0.9, 0.9], false);
        feasibility.learn(vec![0.95, 0.85], false);
        feasibility.learn(vec![0.1, 0.1], true);
        assert!(feasibility.at(&[0.9, 0.9], 0.9) < 0.4);
        assert!(feasibility.at(&[0.1, 0.1], 0.9) > 0.8);
    }
}
