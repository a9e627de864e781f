use crate::{EngineConfig, Gpu, Model, SchedulerKind};

/// Batch sizes, in tokens, that have a CUDA graph (`compilation.py` of vLLM 0.33,
/// `server_args.py` of SGLang 0.5.23).
#[derive(Clone)]
pub(crate) struct CudaGraphs {
    sizes: Vec<u32>,
    /// Whether steps with prompts have none.
    of_decodes_only: bool,
}

impl CudaGraphs {
    pub(crate) fn new(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Self {
        match config.scheduler {
            SchedulerKind::Vllm | SchedulerKind::LlamaCpp => Self::of_vllm(config, model, gpu),
            SchedulerKind::Sglang => Self::of_sglang(config, gpu),
        }
    }

    /// 1, 2, 4, 8, 12, then steps of 8 up to 256, of 16 up to 512 and of 32 beyond.
    fn of_sglang(config: &EngineConfig, gpu: &Gpu) -> Self {
        let largest = match config.max_cudagraph_capture_size {
            _ if config.enforce_eager => 0,
            Some(asked) => asked,
            None => largest_of_sglang(config, gpu),
        };
        let small = [1, 2, 4, 8, 12].into_iter().chain((16..=256).step_by(8));
        let large = (272..512).step_by(16).chain((512..=largest).step_by(32));
        Self {
            sizes: small.chain(large).filter(|size| *size <= largest).collect(),
            of_decodes_only: true,
        }
    }

    /// 1, 2, 4, then steps of 8 below 256 and of 16 beyond; `max_num_seqs` and the token budget
    /// too, where they are not above the largest size.
    fn of_vllm(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Self {
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
        Self {
            sizes,
            of_decodes_only: false,
        }
    }

    /// The size that a batch is padded to; none when it runs without a graph. `decode`: nothing
    /// else happens in it.
    pub(crate) fn padded(&self, tokens: u32, decode: bool) -> Option<u32> {
        if self.of_decodes_only && !decode {
            return None;
        }
        let fitting = self.sizes.partition_point(|size| *size < tokens);
        self.sizes.get(fitting).copied()
    }
}

/// SGLang's default, by the memory of a GPU.
fn largest_of_sglang(config: &EngineConfig, gpu: &Gpu) -> u32 {
    let wide = config.tensor_parallel_size >= 4;
    match gpu.memory_bytes >> 30 {
        0..20 => 8,
        20..35 => 48,
        35..60 => 32,
        60..160 if !wide => 256,
        _ => 512,
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
        let padded = [1, 3, 5, 250, 256, 257, 512].map(|tokens| graphs.padded(tokens, false));
        assert_eq!(
            padded.map(Option::unwrap),
            [1, 4, 8, 256, 256, 272, 512],
            "each to the next size"
        );
        assert_eq!(graphs.padded(513, true), None);
    }

    #[test]
    fn number_of_sequences_is_a_size_of_its_own() {
        let config = EngineConfig {
            max_num_seqs: Some(100),
            ..EngineConfig::default()
        };
        assert_eq!(graphs(&config).padded(98, false), Some(100));
        assert_eq!(graphs(&config).padded(201, true), None);
    }

    #[test]
    fn sglang_has_graphs_of_decoding_batches_only() {
        let graphs = |gpu: &str, tensor_parallel_size| {
            let config = EngineConfig {
                scheduler: SchedulerKind::Sglang,
                tensor_parallel_size,
                ..EngineConfig::default()
            };
            let model = Model::named("llama-3.1-8b").unwrap();
            CudaGraphs::new(&config, model, Gpu::named(gpu).unwrap())
        };
        let narrow = graphs("h100-sxm", 1);
        let padded = [3, 9, 13, 255, 256, 257].map(|tokens| narrow.padded(tokens, true));
        let expected = [Some(4), Some(12), Some(16), Some(256), Some(256), None];
        assert_eq!(padded, expected);
        assert_eq!(narrow.padded(100, false), None, "a prompt");
        assert_eq!(graphs("h100-sxm", 4).padded(257, true), Some(272));
        assert_eq!(graphs("b200-sxm", 1).padded(500, true), Some(512));
        assert_eq!(graphs("l40s", 1).padded(33, true), None);
    }

    #[test]
    fn eager_execution_has_no_graph() {
        let config = EngineConfig {
            enforce_eager: true,
            ..EngineConfig::default()
        };
        assert_eq!(graphs(&config).padded(1, true), None);
    }
}
