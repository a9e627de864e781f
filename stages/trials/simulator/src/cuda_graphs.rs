use crate::{EngineConfig, Gpu, Model};

/// Batch sizes, in tokens, that have a CUDA graph (`compilation.py` of vLLM 0.33).
#[derive(Clone)]
pub(crate) struct CudaGraphs {
    sizes: Vec<u32>,
}

impl CudaGraphs {
    /// 1, 2, 4, then steps of 8 below 256 and of 16 beyond; `max_num_seqs` and the token budget
    /// too, where they are not above the largest size.
    pub(crate) fn new(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Self {
        let seqs = config.resolved_max_num_seqs(gpu);
        let budget = config.resolved_max_num_batched_tokens(model, gpu);
        let largest = largest(config, seqs, budget);
        let regular = [1, 2, 4].into_iter().chain((8..256).step_by(8));
        let mut sizes: Vec<u32> = regular
            .chain((256..=largest).step_by(16))
            .chain([seqs, budget])
            .filter(|size| *size <= largest)
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        Self { sizes }
    }

    /// The size that a batch is padded to; none when it runs without a graph.
    pub(crate) fn padded(&self, tokens: u32) -> Option<u32> {
        let fitting = self.sizes.partition_point(|size| *size < tokens);
        self.sizes.get(fitting).copied()
    }
}

fn largest(config: &EngineConfig, seqs: u32, budget: u32) -> u32 {
    /// vLLM's default on GPUs other than data-centre Blackwell.
    const DEFAULT: u32 = 512;
    if config.enforce_eager {
        return 0;
    }
    let per_request = 2_u32.saturating_mul(1 + config.num_speculative_tokens);
    let default = seqs.saturating_mul(per_request).min(DEFAULT);
    let asked = config.max_cudagraph_capture_size.unwrap_or(default);
    asked.min(budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graphs(config: &EngineConfig) -> CudaGraphs {
        let model = Model::named("llama-3.1-8b").unwrap();
        CudaGraphs::new(config, model, Gpu::named("rtx-4090").unwrap())
    }

    /// The list that vLLM 0.19 logged for 256 sequences and 2,048 tokens has 51 sizes.
    #[test]
    fn default_sizes_are_those_that_vllm_logs() {
        let graphs = graphs(&EngineConfig::default());
        assert_eq!(graphs.sizes.len(), 51);
        let padded = [1, 3, 5, 250, 256, 257, 512].map(|tokens| graphs.padded(tokens));
        assert_eq!(
            padded.map(Option::unwrap),
            [1, 4, 8, 256, 256, 272, 512],
            "each to the next size"
        );
        assert_eq!(graphs.padded(513), None);
    }

    #[test]
    fn number_of_sequences_is_a_size_of_its_own() {
        let config = EngineConfig {
            max_num_seqs: Some(100),
            ..EngineConfig::default()
        };
        assert_eq!(graphs(&config).padded(98), Some(100));
        assert_eq!(graphs(&config).padded(201), None);
    }

    #[test]
    fn eager_execution_has_no_graph() {
        let config = EngineConfig {
            enforce_eager: true,
            ..EngineConfig::default()
        };
        assert_eq!(graphs(&config).padded(1), None);
    }
}
