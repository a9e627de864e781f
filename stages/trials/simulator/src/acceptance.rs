use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Chosen; any number is as good.
const SEED: u64 = 0x5bec;
/// Words of the stream that one draw takes.
const WORDS: u128 = 2;

/// Which drafts turn out to be what the model says.
///
/// Each token of each request has a draw of its own, whatever the configuration and whenever it
/// comes: configurations are compared on the same luck.
pub(crate) struct Acceptance {
    by_position: Vec<f64>,
    rng: ChaCha8Rng,
}

impl Acceptance {
    /// Probabilities by position; the last one holds for further positions.
    pub(crate) fn new(by_position: &[f64]) -> Self {
        Self {
            by_position: by_position.to_vec(),
            rng: ChaCha8Rng::seed_from_u64(SEED),
        }
    }

    /// How many of a request's drafts are accepted, behind so many tokens that came out: those
    /// before the first that is not.
    pub(crate) fn accepted(&mut self, request: u64, generated: u32, drafts: u32) -> u32 {
        if drafts == 0 {
            return 0;
        }
        self.rng.set_stream(request);
        self.rng.set_word_pos(u128::from(generated) * WORDS);
        let Self { by_position, rng } = self;
        let last = by_position.last().copied().unwrap_or(0.0);
        let accepted = (0..drafts).take_while(|position| {
            let chance = by_position.get(*position as usize).unwrap_or(&last);
            rng.random::<f64>() < *chance
        });
        accepted.count() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean over many tokens against the sum of the chances that a chain gets so far.
    #[test]
    fn mean_length_is_that_of_the_chain() {
        let mut acceptance = Acceptance::new(&[0.8, 0.5]);
        let expected = 0.8 + 0.8 * 0.5 + 0.8 * 0.5 * 0.5;
        let (mut steps, mut all) = (0.0, 0.0);
        for request in 0..200 {
            let mut generated = 1;
            while generated < 500 {
                let accepted = acceptance.accepted(request, generated, 3);
                generated += 1 + accepted;
                steps += 1.0;
                all += f64::from(accepted);
            }
        }
        assert!(
            (all / steps - expected).abs() < 0.02,
            "{} {expected}",
            all / steps
        );
    }

    #[test]
    fn longer_drafts_meet_the_same_luck() {
        let mut acceptance = Acceptance::new(&[0.7]);
        for generated in 0..200 {
            let mut accepted = |drafts| acceptance.accepted(7, generated, drafts);
            let (two, five) = (accepted(2), accepted(5));
            assert_eq!(two, five.min(2));
        }
    }
}
