use std::sync::Arc;

use crate::launch_rules::check;
use crate::live::Live;
use crate::prefix::BlockKeys;
use crate::scheduler::{Limits, Scheduler};
use crate::simulation::{Rules, Simulation};
use crate::state::Sequence;
use crate::step_time::{KernelError, StepSource, StepTime};
use crate::{Client, EngineConfig, Gpu, Memory, Model, Request, Run};

/// A server that came up with a configuration.
pub struct Server {
    config: EngineConfig,
    memory: Memory,
    limits: Limits,
    max_model_len: u32,
    step_time: Arc<StepTime>,
}

/// Why a server did not come up.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LaunchFailure {
    /// It refuses the configuration.
    #[error("{0}")]
    Invalid(String),
    /// There are no kernel tables for the configuration: nothing can be said about it.
    #[error("{0}")]
    NoKernels(#[from] KernelError),
    /// It ran out of memory while it loaded.
    #[error(
        "out of memory at start: weights of {weights_mb:.0} MB, other buffers of {other_mb:.0} MB and a KV cache of {kv_cache_mb:.0} MB per GPU do not fit into {available_mb:.0} MB"
    )]
    DoesNotFit {
        /// Weights per GPU.
        weights_mb: f64,
        /// Buffers per GPU.
        other_mb: f64,
        /// The KV cache that was asked for, or the least that there can be.
        kv_cache_mb: f64,
        /// What there is per GPU.
        available_mb: f64,
    },
}

impl Server {
    /// Starts a server on `gpus` GPUs, whose steps take what `source` says.
    ///
    /// # Errors
    /// When vLLM would not come up: an invalid configuration, too little memory, or a KV cache
    /// that cannot hold one sequence of `max_model_len`.
    pub fn launch(
        config: &EngineConfig,
        model: &Model,
        gpu: &Gpu,
        gpus: u32,
        source: &StepSource,
    ) -> Result<Self, LaunchFailure> {
        check(config, model, gpu, gpus)?;
        let memory = Memory::new(config, model, gpu);
        check_memory(config, &memory, gpu)?;
        check_kv_cache(&memory, config.resolved_max_model_len(model))?;
        let blocks = memory.kv_blocks - 1;
        Ok(Self {
            limits: Limits {
                max_num_seqs: config.resolved_max_num_seqs(gpu) as usize,
                token_budget: config.resolved_max_num_batched_tokens(model, gpu),
                block_size: config.block_size,
                blocks,
                watermark_blocks: (config.watermark * f64::from(memory.kv_blocks)) as u32,
            },
            max_model_len: config.resolved_max_model_len(model),
            step_time: Arc::new(StepTime::new(config, model, gpu, source)?),
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
        let max = self.max_model_len;
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
        let scheduler = Scheduler::new(&self.config, self.limits, keys, sequences);
        let simulation = Simulation::new(self.rules(), &scheduler, requests, client);
        simulation.run(scheduler, Arc::clone(&self.step_time))
    }

    /// Serves requests that come as time goes by, from an empty cache.
    #[must_use]
    pub fn live(&self) -> Live {
        let keys = BlockKeys::new(&[], &[], self.config.block_size);
        let scheduler = Scheduler::new(&self.config, self.limits, keys, Vec::new());
        Live::new(self.rules(), scheduler, Arc::clone(&self.step_time))
    }

    /// Tokens of one KV block.
    #[must_use]
    pub fn block_size(&self) -> u32 {
        self.config.block_size
    }

    fn rules(&self) -> Rules {
        Rules {
            max_model_len: self.max_model_len,
            max_queued: self.config.max_num_queued_reqs.map(|n| n as usize),
            // One step executes while the next is scheduled.
            depth: if self.config.async_scheduling { 2 } else { 1 },
        }
    }
}

fn check_memory(config: &EngineConfig, memory: &Memory, gpu: &Gpu) -> Result<(), LaunchFailure> {
    // One block besides the null block; a number of blocks that is set is allocated as it stands.
    let asked = config.num_gpu_blocks_override;
    let kv_cache_bytes = f64::from(asked.unwrap_or(2)) * memory.block_bytes;
    let needed = memory.weights_bytes + memory.other_bytes;
    let available = if asked.is_some() && needed <= memory.reserved_bytes {
        gpu.memory_bytes as f64
    } else {
        memory.reserved_bytes
    };
    if needed + kv_cache_bytes <= available {
        return Ok(());
    }
    Err(LaunchFailure::DoesNotFit {
        weights_mb: memory.weights_bytes / 1e6,
        other_mb: memory.other_bytes / 1e6,
        kv_cache_mb: kv_cache_bytes / 1e6,
        available_mb: available / 1e6,
    })
}

fn check_kv_cache(memory: &Memory, max_model_len: u32) -> Result<(), LaunchFailure> {
    let tokens = memory.kv_cache_tokens;
    if tokens >= u64::from(max_model_len) {
        return Ok(());
    }
    Err(LaunchFailure::Invalid(format!(
        "the KV cache holds {tokens} tokens, less than one request of max_model_len \
         ({max_model_len}): the largest max_model_len that fits is {tokens}; lower it, or give the \
         cache more memory (gpu_memory_utilization, kv_cache_dtype, tensor_parallel_size)"
    )))
}
