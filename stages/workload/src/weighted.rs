use rand::{Rng, RngExt};

/// A choice among weighted alternatives.
#[derive(Debug, Clone)]
pub(crate) struct Weighted {
    cumulative: Vec<f64>,
}

impl Weighted {
    /// Alternatives 0, 1, … with these weights: at least one, none negative, their sum above 0.
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let cumulative = weights.into_iter().map(|weight| {
            sum += weight;
            sum
        });
        Self {
            cumulative: cumulative.collect(),
        }
    }

    /// One alternative.
    pub(crate) fn pick(&self, rng: &mut impl Rng) -> usize {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let point = rng.random::<f64>() * total;
        let index = self.cumulative.partition_point(|&sum| sum <= point);
        index.min(self.cumulative.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::Streams;

    #[test]
    fn alternatives_come_up_by_their_weights() {
        let mut rng = Streams { seed: 1, draw: 0 }.rng("test");
        let weighted = Weighted::new([1.0, 0.0, 3.0]);
        let mut counts = [0_u32; 3];
        for _ in 0..4000 {
            counts[weighted.pick(&mut rng)] += 1;
        }
        assert_eq!(counts[1], 0, "weight 0 never comes up");
        assert!((900..1100).contains(&counts[0]), "{counts:?}");
    }
}
