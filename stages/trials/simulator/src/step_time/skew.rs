use crate::{EngineConfig, Gpu, Model};

/// Thread blocks that share the bandwidth. Chosen between the multiprocessors of an RTX 4090 (128)
/// and an RTX PRO 6000 (188): the kernel profiles of both show 72 and 48 ns per token and layer,
/// this gives 76 and 43.
const BLOCKS: f64 = 150.0;
/// Share of it that remains in a batch of nothing but decoding requests. Chosen: in a full CUDA
/// graph vLLM splits long contexts over up to 32 blocks, but not all of the tail is hidden.
const DECODE_ALONE: f64 = 1.0 / 3.0;

/// What a batch of unequal contexts takes beyond one of equal contexts: the longest context is
/// read by one thread block for each head, at its share of the bandwidth, while others are done.
/// That is a time per token by which the longest exceeds the mean, whatever the number of requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Skew {
    seconds_per_token: f64,
    /// Decoding requests up to which idle blocks help with the longest context.
    helped: f64,
}

impl Skew {
    pub(super) fn new(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Self {
        let ranks = f64::from(config.tensor_parallel_size);
        // All heads share a latent.
        let heads = match model.latent {
            Some(_) => 1.0,
            None => (f64::from(model.kv_heads) / ranks).max(1.0),
        };
        let bytes = model.kv_elements(ranks) / heads * config.kv_cache_dtype.bytes();
        Self {
            seconds_per_token: model.full_layers() * bytes * BLOCKS / (gpu.bandwidth_tb_s * 1e12),
            helped: 2.0 * BLOCKS / heads,
        }
    }

    /// Beside prompt chunks.
    pub(super) fn mixed_s(&self, mean: f64, longest: f64) -> f64 {
        self.seconds_per_token * (longest - mean).max(0.0)
    }

    /// In a batch of `requests` that decode.
    pub(super) fn decode_s(&self, requests: f64, mean: f64, longest: f64) -> f64 {
        if requests <= self.helped {
            return 0.0;
        }
        DECODE_ALONE * self.mixed_s(mean, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nanoseconds per token and layer by which the longest of unequal contexts exceeds the mean,
    /// beside a prompt chunk: medians over 2 to 64 requests of LLMServingSim's profiles under
    /// vLLM 0.19, where they are the same for every number of requests.
    #[test]
    fn longest_context_costs_what_was_measured() {
        for (gpu, model, measured_ns) in [
            ("rtx-4090", "llama-3.1-8b", 72.0),
            ("rtx-pro-6000", "llama-3.1-8b", 48.0),
            ("rtx-pro-6000", "qwen3-32b", 47.0),
        ] {
            let (gpu, model) = (Gpu::named(gpu).unwrap(), Model::named(model).unwrap());
            let skew = Skew::new(&EngineConfig::default(), model, gpu);
            let ns = skew.mixed_s(500.0, 1500.0) / f64::from(model.layers) / 1000.0 * 1e9;
            assert!((ns / measured_ns - 1.0).abs() < 0.15, "{ns} {measured_ns}");
        }
    }

    #[test]
    fn few_requests_are_helped_and_equal_contexts_cost_nothing() {
        let (gpu, model) = (
            Gpu::named("rtx-4090").unwrap(),
            Model::named("llama-3.1-8b").unwrap(),
        );
        let skew = Skew::new(&EngineConfig::default(), model, gpu);
        assert_eq!(skew.decode_s(16.0, 500.0, 4000.0), 0.0);
        assert_eq!(skew.decode_s(128.0, 500.0, 500.0), 0.0);
        assert!(skew.decode_s(128.0, 500.0, 4000.0) < skew.mixed_s(500.0, 4000.0));
    }
}
