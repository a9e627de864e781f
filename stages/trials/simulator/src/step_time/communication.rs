use super::Width;
use crate::{EngineConfig, Gpu, Model};

/// What the GPUs tell each other in a step.
#[derive(Clone)]
pub(super) struct Communication {
    gpu: Gpu,
    layers: f64,
    bytes_per_token: f64,
    tensor_ranks: f64,
    stages: f64,
    /// GPUs of all engines that share the experts; 1 where each engine has its own.
    expert_ranks: f64,
}

impl Communication {
    pub(super) fn new(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Self {
        let shared = config.data_parallel_size > 1 && model.experts.is_some();
        Self {
            gpu: gpu.clone(),
            layers: f64::from(model.layers),
            bytes_per_token: f64::from(model.hidden) * 2.0,
            tensor_ranks: f64::from(config.tensor_parallel_size),
            stages: f64::from(config.pipeline_parallel_size),
            expert_ranks: if shared {
                f64::from(config.expert_ranks())
            } else {
                1.0
            },
        }
    }

    pub(super) fn seconds(&self, width: Width) -> f64 {
        let reduce_s = |tokens: f64, ranks: f64| {
            let bytes = tokens * self.bytes_per_token;
            self.gpu.all_reduce_s(bytes, ranks, width.full_graph)
        };
        let mut layer_s = 0.0;
        if self.tensor_ranks > 1.0 {
            // Behind attention, and behind the feed-forward block where the experts do not scatter.
            let times = if self.expert_ranks > 1.0 { 1.0 } else { 2.0 };
            layer_s += times * reduce_s(width.tokens, self.tensor_ranks);
        }
        if self.expert_ranks > 1.0 {
            // Tokens are gathered before the experts and scattered behind them: together what an
            // all-reduce moves, in two launches.
            layer_s += reduce_s(width.everywhere, self.expert_ranks);
            layer_s += reduce_s(0.0, self.expert_ranks);
        }
        // From one stage to the next goes what two GPUs exchange to reduce.
        self.layers * layer_s + (self.stages - 1.0) * reduce_s(width.tokens, 2.0)
    }
}
