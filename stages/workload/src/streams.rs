use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use sbt_engine::Digest;
use serde_json::json;

/// Random generators of one draw, one per purpose: changing one distribution leaves what the
/// others give alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streams {
    /// Seed of the workload.
    pub(crate) seed: u64,
    /// Number of the draw.
    pub(crate) draw: u64,
}

impl Streams {
    /// The generator for a purpose.
    pub(crate) fn rng(self, purpose: &str) -> ChaCha8Rng {
        let Self { seed, draw } = self;
        let value = json!({ "seed": seed, "draw": draw, "purpose": purpose });
        ChaCha8Rng::seed_from_u64(Digest::of_value("workload stream", &value).seed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn each_seed_draw_and_purpose_has_its_own_numbers() {
        let first = |seed, draw, purpose: &str| Streams { seed, draw }.rng(purpose).random::<u64>();
        let base = first(1, 0, "arrivals");
        assert_eq!(base, first(1, 0, "arrivals"));
        for other in [
            first(2, 0, "arrivals"),
            first(1, 1, "arrivals"),
            first(1, 0, "think"),
        ] {
            assert_ne!(base, other);
        }
    }
}
