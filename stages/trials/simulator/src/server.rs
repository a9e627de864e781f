use std::sync::Arc;

use crate::launch_rules::check;
use crate::live::Live;
use crate::prefix::BlockKeys;
use crate::queue_limits::QueueLimits;
use crate::scheduler::{Limits, Pace, Scheduler};
use crate::simulation::{Rules, Simulation};
use crate::state::Sequence;
use crate::step_time::{KernelError, StepSource, StepTime};
use crate::{Client, EngineConfig, Factor, Gpu, Memory, Model, Request, Run, SchedulerKind};

/// A server that came up with a configuration.
pub struct Server {
    config: EngineConfig,
    memory: Memory,
    limits: Limits,
    /// Whether its engines hold the experts of a mixture together.
    shares_experts: bool,
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
                max_model_len: config.resolved_max_model_len(model),
                drafts: config.num_speculative_tokens,
                lookahead: config.tokens_drafted_by_model(),
            },
            shares_experts: model.experts.is_some(),
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

    /// How long its steps take.
    pub(crate) fn step_time(&self) -> &StepTime {
        &self.step_time
    }

    /// Serves requests from an empty cache until the last one has ended.
    ///
    /// # Panics
    /// When a request follows one that does not stand before it.
    #[must_use]
    pub fn simulate(&self, requests: &[Request], client: &Client) -> Run {
        self.simulate_without(&[], requests, client)
    }

    /// The same in a world without some factors.
    ///
    /// # Panics
    /// When a request follows one that does not stand before it.
    #[must_use]
    pub fn simulate_without(
        &self,
        factors: &[Factor],
        requests: &[Request],
        client: &Client,
    ) -> Run {
        let streams = self.config.data_parallel_size <= 1
            && self.config.pipeline_parallel_size <= 1
            && self.limits.drafts == 0;
        let pace = match self.config.scheduler {
            SchedulerKind::Vllm | SchedulerKind::LlamaCpp if streams => Pace::Streams,
            SchedulerKind::Vllm | SchedulerKind::LlamaCpp | SchedulerKind::Sglang => {
                Pace::EachToken
            }
        };
        self.simulate_at(pace, factors, requests, *client)
    }

    /// Simulates at a pace that the configuration allows.
    pub(crate) fn simulate_at(
        &self,
        pace: Pace,
        factors: &[Factor],
        requests: &[Request],
        mut client: Client,
    ) -> Run {
        let (mut limits, mut rules) = (self.limits, self.rules());
        for factor in factors {
            factor.lift(requests, &mut limits, &mut rules, &mut client);
        }
        let step_time = if factors.contains(&Factor::Prefill) {
            Arc::new(self.step_time.with_free_prefill())
        } else {
            Arc::clone(&self.step_time)
        };
        let engine = || self.engine(pace, limits, requests, &client);
        let simulation = Simulation::new(rules, requests, &client);
        match self.config.data_parallel_size {
            0 | 1 => simulation.run(engine(), step_time),
            engines => {
                let engines = (0..engines).map(|_| engine()).collect();
                simulation.run_fleet(engines, self.shares_experts, step_time)
            }
        }
    }

    /// Serves requests that come as time goes by, from an empty cache. None with several engines.
    #[must_use]
    pub fn live(&self) -> Option<Live> {
        if self.config.data_parallel_size > 1 {
            return None;
        }
        let keys = Some(BlockKeys::new(&[], &[], self.config.block_size));
        let (config, limits) = (&self.config, self.limits);
        let scheduler = Scheduler::new(config, limits, keys, Vec::new(), Pace::EachToken);
        let step_time = Arc::clone(&self.step_time);
        Some(Live::new(self.rules(), scheduler, step_time))
    }

    /// An engine that any of the requests may come to.
    fn engine(
        &self,
        pace: Pace,
        limits: Limits,
        requests: &[Request],
        client: &Client,
    ) -> Scheduler {
        let sequence = |(number, request): (usize, &Request)| {
            let room = limits.max_model_len.saturating_sub(request.prompt_tokens);
            let output = request.output_tokens.clamp(1, room.max(1));
            Sequence {
                number: number as u64,
                priority: request.priority,
                ..Sequence::new(request.prompt_tokens, output)
            }
        };
        let sequences: Vec<Sequence> = requests.iter().enumerate().map(sequence).collect();
        let length = |s: &Sequence| limits.places(s.prompt + s.output);
        let lengths: Vec<u32> = sequences.iter().map(length).collect();
        let keys = match pace {
            Pace::EachToken => Some(BlockKeys::new(requests, &lengths, limits.block_size)),
            Pace::Streams => self.keys_that_matter(limits, requests, &lengths, client),
        };
        Scheduler::new(&self.config, limits, keys, sequences, pace)
    }

    /// None: it makes no difference which KV block holds what, as nothing is ever found again.
    fn keys_that_matter(
        &self,
        limits: Limits,
        requests: &[Request],
        lengths: &[u32],
        client: &Client,
    ) -> Option<BlockKeys> {
        if !self.config.enable_prefix_caching {
            return None;
        }
        if share_blocks(requests) {
            return Some(BlockKeys::new(requests, lengths, limits.block_size));
        }
        let served_once = client.retries == 0 || client.timeout_s.is_none();
        let at_once = client.max_in_flight.map_or(usize::MAX, |n| n as usize);
        let counted = served_once && limits.hold_all(lengths, at_once);
        (!counted).then(|| BlockKeys::unshared(lengths, limits.block_size))
    }

    fn rules(&self) -> Rules {
        Rules {
            max_model_len: self.limits.max_model_len,
            queue: QueueLimits::of(&self.config),
            stream_interval: self.config.stream_interval,
            // A step in each stage, and one that is scheduled meanwhile.
            depth: self.config.pipeline_parallel_size as usize
                + usize::from(self.config.async_scheduling),
        }
    }
}

/// Whether any two requests begin with the same block: ids name all that stands before them.
fn share_blocks(requests: &[Request]) -> bool {
    let first = requests.iter().filter_map(|r| r.block_ids.first());
    let mut first: Vec<u64> = first.copied().collect();
    first.sort_unstable();
    first.windows(2).any(|pair| pair[0] == pair[1])
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(i: u32) -> Request {
        Request {
            start_s: f64::from(i) * 0.05,
            after: None,
            continues: false,
            priority: 0,
            prompt_tokens: 50 + 37 * (i % 19),
            output_tokens: 5 + 11 * (i % 7),
            block_ids: vec![u64::from(i % 5)],
            block_tokens: 16,
        }
    }

    fn launch(config: &EngineConfig, model: &str) -> Server {
        let model = Model::named(model).unwrap();
        let gpu = Gpu::named("h100-sxm").unwrap();
        Server::launch(config, model, gpu, 8, &StepSource::default()).unwrap()
    }

    #[test]
    fn fleet_of_one_engine_is_that_engine() {
        let requests: Vec<Request> = (0..80).map(request).collect();
        for async_scheduling in [true, false] {
            let config = EngineConfig {
                async_scheduling,
                max_num_seqs: Some(6),
                num_gpu_blocks_override: Some(80),
                max_model_len: Some(1024),
                ..EngineConfig::default()
            };
            let server = launch(&config, "llama-3.1-8b");
            let client = Client::default();
            let run = |fleet: bool| {
                let (pace, limits) = (Pace::EachToken, server.limits);
                let engine = server.engine(pace, limits, &requests, &client);
                let simulation = Simulation::new(server.rules(), &requests, &client);
                let step_time = Arc::clone(&server.step_time);
                if fleet {
                    simulation.run_fleet(vec![engine], false, step_time)
                } else {
                    simulation.run(engine, step_time)
                }
            };
            assert_eq!(run(true), run(false));
        }
    }

    /// The front end takes 3 ms: a client that waits less is gone before any engine knows of it.
    #[test]
    fn requests_that_are_given_up_before_they_arrive_leave_no_engine() {
        let requests: Vec<Request> = (0..20).map(request).collect();
        let config = EngineConfig {
            data_parallel_size: 2,
            ..EngineConfig::default()
        };
        let client = Client {
            timeout_s: Some(1e-3),
            ..Client::default()
        };
        let run = launch(&config, "llama-3.1-8b").simulate(&requests, &client);
        let timed_out = |served: &crate::Served| served.output_tokens == 0;
        assert!(run.requests.iter().all(timed_out));
    }

    /// Two engines that share their experts wait for one another, and still serve more than one.
    #[test]
    fn engines_of_a_mixture_step_together_and_lose_nothing() {
        let requests: Vec<Request> = (0..200).map(request).collect();
        let run = |engines: u32| {
            let config = EngineConfig {
                data_parallel_size: engines,
                enable_expert_parallel: true,
                tensor_parallel_size: 2,
                max_num_seqs: Some(8),
                ..EngineConfig::default()
            };
            let server = launch(&config, "mixtral-8x7b");
            server.simulate(&requests, &Client::default())
        };
        let (one, two) = (run(1), run(2));
        for (served, request) in two.requests.iter().zip(&requests) {
            assert_eq!(served.output_tokens, u64::from(request.output_tokens));
        }
        assert!(two.end_s < one.end_s, "{} {}", two.end_s, one.end_s);
    }
}
