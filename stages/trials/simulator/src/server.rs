use crate::prefix::BlockKeys;
use crate::scheduler::{Limits, Scheduler};
use crate::simulation::Simulation;
use crate::state::Sequence;
use crate::step_time::StepTime;
use crate::{Client, EngineConfig, Gpu, Memory, Model, Request, Run};

/// A server that came up with a configuration.
pub struct Server {
    config: EngineConfig,
    memory: Memory,
    limits: Limits,
    step_time: StepTime,
}

/// Why a server did not come up.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LaunchFailure {
    /// It refuses the configuration.
    #[error("{0}")]
    Invalid(String),
    /// It ran out of memory while it loaded.
    #[error(
        "out of memory at start: weights {weights_mb:.0} MB and other buffers {other_mb:.0} MB per GPU exceed the {reserved_mb:.0} MB of gpu_memory_utilization"
    )]
    DoesNotFit {
        /// Weights per GPU.
        weights_mb: f64,
        /// Buffers per GPU.
        other_mb: f64,
        /// What the server may take per GPU.
        reserved_mb: f64,
    },
}

impl Server {
    /// Starts a server on `gpus` GPUs.
    ///
    /// # Errors
    /// When vLLM would not come up: an invalid configuration, too little memory, or a KV cache
    /// that cannot hold one sequence of `max_model_len`.
    pub fn launch(
        config: &EngineConfig,
        model: &Model,
        gpu: &Gpu,
        gpus: u32,
    ) -> Result<Self, LaunchFailure> {
        check(config, model, gpu, gpus)?;
        let memory = Memory::new(config, model, gpu);
        if memory.kv_blocks < 2 {
            return Err(LaunchFailure::DoesNotFit {
                weights_mb: memory.weights_bytes / 1e6,
                other_mb: memory.other_bytes / 1e6,
                reserved_mb: memory.reserved_bytes / 1e6,
            });
        }
        let max_model_len = config.resolved_max_model_len(model);
        if memory.kv_cache_tokens < u64::from(max_model_len) {
            return Err(LaunchFailure::Invalid(format!(
                "the KV cache holds {} tokens, less than max_model_len ({max_model_len}): raise \
                 gpu_memory_utilization or lower max_model_len to at most {}",
                memory.kv_cache_tokens, memory.kv_cache_tokens
            )));
        }
        let blocks = memory.kv_blocks - 1;
        Ok(Self {
            limits: Limits {
                max_num_seqs: config.resolved_max_num_seqs(gpu) as usize,
                token_budget: config.resolved_max_num_batched_tokens(model, gpu),
                max_model_len,
                block_size: config.block_size,
                blocks,
                watermark_blocks: (config.watermark * f64::from(blocks)) as u32,
            },
            step_time: StepTime::new(config, model, gpu),
            config: config.clone(),
            memory,
        })
    }

    /// Where its memory goes.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Serves requests from an empty cache until the last one has ended.
    ///
    /// # Panics
    /// When a request follows one that does not stand before it.
    #[must_use]
    pub fn simulate(&self, requests: &[Request], client: &Client) -> Run {
        let max = self.limits.max_model_len;
        let sequences: Vec<Sequence> = requests
            .iter()
            .map(|request| {
                let room = max.saturating_sub(request.prompt_tokens);
                Sequence::new(
                    request.prompt_tokens,
                    request.output_tokens.clamp(1, room.max(1)),
                )
            })
            .collect();
        let lengths: Vec<u32> = sequences
            .iter()
            .map(|s| (s.prompt + s.output).min(max))
            .collect();
        let keys = BlockKeys::new(requests, &lengths, self.config.block_size);
        let scheduler = Scheduler::new(&self.config, self.limits, &keys, sequences);
        Simulation::new(self.rules(), &self.step_time, scheduler, requests, client).run()
    }

    fn rules(&self) -> crate::simulation::Rules {
        crate::simulation::Rules {
            max_model_len: self.limits.max_model_len,
            max_queued: self.config.max_num_queued_reqs.map(|n| n as usize),
            // One step executes while the next is scheduled.
            depth: if self.config.async_scheduling { 2 } else { 1 },
        }
    }
}

fn check(config: &EngineConfig, model: &Model, gpu: &Gpu, gpus: u32) -> Result<(), LaunchFailure> {
    let refuse = |message: String| Err(LaunchFailure::Invalid(message));
    let tp = config.tensor_parallel_size;
    if tp == 0 || tp > gpus {
        return refuse(format!(
            "tensor_parallel_size {tp} needs {tp} GPUs; there are {gpus}"
        ));
    }
    if !model.heads.is_multiple_of(tp) {
        let heads = model.heads;
        return refuse(format!(
            "tensor_parallel_size {tp} must divide the {heads} attention heads"
        ));
    }
    let utilization = config.gpu_memory_utilization;
    if !(utilization > 0.0 && utilization <= 1.0) {
        return refuse(format!(
            "gpu_memory_utilization {utilization} is not in (0, 1]"
        ));
    }
    if config.block_size == 0 {
        return refuse("block_size must be positive".to_owned());
    }
    let len = config.resolved_max_model_len(model);
    if len == 0 || len > model.max_model_len {
        let most = model.max_model_len;
        return refuse(format!(
            "max_model_len {len} is not within 1 and the model's {most}"
        ));
    }
    let seqs = config.resolved_max_num_seqs(gpu);
    let budget = config.resolved_max_num_batched_tokens(model, gpu);
    if seqs == 0 || budget < seqs {
        return refuse(format!(
            "max_num_batched_tokens ({budget}) must be at least max_num_seqs ({seqs})"
        ));
    }
    if !config.enable_chunked_prefill && budget < len {
        return refuse(format!(
            "max_num_batched_tokens ({budget}) is less than max_model_len ({len}), which needs \
             chunked prefill"
        ));
    }
    if config.long_prefill_token_threshold > len {
        let threshold = config.long_prefill_token_threshold;
        return refuse(format!(
            "long_prefill_token_threshold ({threshold}) exceeds max_model_len ({len})"
        ));
    }
    Ok(())
}
