use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::weights::Weights;
use crate::{Gpu, Model, SchedulingPolicy, VllmVersion, WeightsDtype};

/// Knobs of vLLM 0.33 that the simulator models, under the server's own names. None: the server's
/// default, which depends on the GPU or the model. A knob that is not modelled is no field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Whose order of prompts and decoding requests is followed.
    pub scheduler: SchedulerKind,
    /// Version of vLLM.
    pub version: VllmVersion,
    /// Order of waiting requests, and who is preempted.
    pub scheduling_policy: SchedulingPolicy,
    /// Requests that may run at once.
    pub max_num_seqs: Option<u32>,
    /// Token budget of one step.
    pub max_num_batched_tokens: Option<u32>,
    /// Longest sequence served.
    pub max_model_len: Option<u32>,
    /// Share of the device memory that the server takes.
    pub gpu_memory_utilization: Option<f64>,
    /// Tokens of one KV block.
    pub block_size: u32,
    /// Data type of the KV cache.
    pub kv_cache_dtype: KvCacheDtype,
    /// Quantisation of the weights at load; none leaves them as the checkpoint has them.
    pub quantization: Quantization,
    /// Whether full blocks are kept and found again by their content.
    pub enable_prefix_caching: bool,
    /// Whether a prompt may be computed in several steps.
    pub enable_chunked_prefill: bool,
    /// New tokens of one request per step at most, since 0.33 unless it is the only one; 0: no such
    /// limit.
    pub long_prefill_token_threshold: u32,
    /// Whether admission needs room for the whole known sequence.
    pub scheduler_reserve_full_isl: bool,
    /// SGLang: tokens of prompts that are admitted in one step, but for the first prompt.
    pub max_prefill_tokens: u32,
    /// SGLang: how much of their outputs running requests are expected to need, relative to its
    /// default.
    pub schedule_conservativeness: f64,
    /// SGLang: whether a step of prompts decodes too.
    pub enable_mixed_chunk: bool,
    /// Tokens that are drafted for each request and step; 0: no speculative decoding.
    pub num_speculative_tokens: u32,
    /// Who drafts them.
    pub speculative_method: SpeculativeMethod,
    /// Probability that a draft is accepted when those before it were, by position; the last one
    /// holds for all further positions. It belongs to the workload: from vLLM's
    /// `vllm:spec_decode_num_accepted_tokens_per_pos_total`, each count over the one before.
    pub speculative_acceptance: Vec<f64>,
    /// Share of the blocks kept free at admission while something runs.
    pub watermark: f64,
    /// Whether the next step is scheduled while one executes.
    pub async_scheduling: bool,
    /// Whether CUDA graphs are off.
    pub enforce_eager: bool,
    /// Largest batch that has a CUDA graph.
    pub max_cudagraph_capture_size: Option<u32>,
    /// GPUs that one model is split over.
    pub tensor_parallel_size: u32,
    /// Stages of GPUs that the layers are split into.
    pub pipeline_parallel_size: u32,
    /// Engines that each serve a share of the requests.
    pub data_parallel_size: u32,
    /// Whether each GPU holds whole experts instead of a slice of every one.
    pub enable_expert_parallel: bool,
    /// Requests that the server may hold, those that run among them; further ones get HTTP 503.
    /// SGLang counts only those that wait.
    pub max_num_queued_reqs: Option<u32>,
    /// Prompt tokens of requests without a first token from which on further requests get HTTP 503.
    pub max_num_queued_tokens: Option<u64>,
    /// Tokens that are streamed together, after the first one.
    pub stream_interval: u32,
    /// Steps of which one computes prompts while something decodes, with several engines.
    pub prefill_schedule_interval: u32,
    /// KV blocks, instead of what the memory gives.
    pub num_gpu_blocks_override: Option<u32>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            scheduler: SchedulerKind::Vllm,
            version: VllmVersion::V0_33,
            scheduling_policy: SchedulingPolicy::Fcfs,
            max_num_seqs: None,
            max_num_batched_tokens: None,
            max_model_len: None,
            gpu_memory_utilization: None,
            block_size: 16,
            kv_cache_dtype: KvCacheDtype::Auto,
            quantization: Quantization::None,
            enable_prefix_caching: true,
            enable_chunked_prefill: true,
            long_prefill_token_threshold: 0,
            scheduler_reserve_full_isl: true,
            max_prefill_tokens: 16_384,
            schedule_conservativeness: 1.0,
            enable_mixed_chunk: false,
            num_speculative_tokens: 0,
            speculative_method: SpeculativeMethod::Ngram,
            speculative_acceptance: Vec::new(),
            watermark: 0.0,
            async_scheduling: true,
            enforce_eager: false,
            max_cudagraph_capture_size: None,
            tensor_parallel_size: 1,
            pipeline_parallel_size: 1,
            data_parallel_size: 1,
            enable_expert_parallel: false,
            max_num_queued_reqs: None,
            max_num_queued_tokens: None,
            stream_interval: 1,
            prefill_schedule_interval: 1,
            num_gpu_blocks_override: None,
        }
    }
}

/// A server's scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SchedulerKind {
    /// vLLM: decoding requests first, prompts in what is left of a step's tokens.
    Vllm,
    /// SGLang: prompts first, and nothing else in their steps.
    Sglang,
    /// llama.cpp: vLLM's order over slots that split the context between them.
    LlamaCpp,
}

/// Who drafts tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpeculativeMethod {
    /// A search in the text so far, which takes the GPU no time.
    Ngram,
    /// A layer that was trained for it, behind the model.
    Eagle,
    /// A layer of the model's own.
    Mtp,
}

/// Data type of the KV cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KvCacheDtype {
    /// The model's.
    #[serde(rename = "auto")]
    Auto,
    /// bf16.
    #[serde(rename = "bfloat16")]
    Bfloat16,
    /// fp8 (e4m3).
    #[serde(rename = "fp8")]
    Fp8,
    /// fp8 with 4 exponent bits.
    #[serde(rename = "fp8_e4m3")]
    Fp8E4m3,
    /// fp8 with 5 exponent bits.
    #[serde(rename = "fp8_e5m2")]
    Fp8E5m2,
}

impl KvCacheDtype {
    /// Bytes of one element.
    pub(crate) fn bytes(self) -> f64 {
        match self {
            Self::Auto | Self::Bfloat16 => 2.0,
            Self::Fp8 | Self::Fp8E4m3 | Self::Fp8E5m2 => 1.0,
        }
    }
}

/// Quantisation of the weights. Methods that need a checkpoint of their own stand for one of the
/// same shape where the model's is bf16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantization {
    /// The weights as they are.
    None,
    /// fp8 weights and activations in the layers; embeddings stay bf16.
    Fp8,
    /// The same with a scale per tensor.
    Fp8PerTensor,
    /// With a scale per channel.
    Fp8PerChannel,
    /// With a scale per block of 128 x 128.
    Fp8PerBlock,
    /// 8-bit weights, bf16 products.
    Int8PerChannelWeightOnly,
    /// fp4 weights and activations.
    Nvfp4PerToken,
    /// The same from a checkpoint of NVIDIA's Model Optimizer.
    ModeloptFp4,
    /// 4-bit weights with fp8 activations where the GPU has fp4.
    Mxfp4,
    /// 4-bit weights of AWQ, bf16 products.
    Awq,
    /// The same in Marlin's kernels.
    AwqMarlin,
    /// 4-bit weights of GPTQ, bf16 products.
    Gptq,
    /// The same in Marlin's kernels.
    GptqMarlin,
}

impl Quantization {
    /// Data type that the weights have; none: the checkpoint's.
    pub(crate) fn weights(self) -> Option<WeightsDtype> {
        match self {
            Self::None => None,
            Self::Fp8 | Self::Fp8PerTensor | Self::Fp8PerChannel => Some(WeightsDtype::Fp8),
            Self::Fp8PerBlock => Some(WeightsDtype::Fp8Block),
            Self::Int8PerChannelWeightOnly => Some(WeightsDtype::Int8),
            Self::Nvfp4PerToken | Self::ModeloptFp4 => Some(WeightsDtype::Nvfp4),
            Self::Mxfp4 => Some(WeightsDtype::Mxfp4),
            Self::Awq | Self::AwqMarlin | Self::Gptq | Self::GptqMarlin => Some(WeightsDtype::Int4),
        }
    }
}

/// Memory from which vLLM takes its defaults for large GPUs (`arg_utils.py`).
const LARGE_GPU_BYTES: u64 = 70 << 30;
/// Memory from which it takes those for the largest.
const LARGEST_GPU_BYTES: u64 = 160 << 30;

impl EngineConfig {
    /// Whether vLLM counts the GPU among the large ones: 70 GiB or more, A100 left out.
    fn large(gpu: &Gpu) -> bool {
        gpu.memory_bytes >= LARGE_GPU_BYTES && gpu.fp8.is_some()
    }

    /// [`Self::gpu_memory_utilization`], or the version's default.
    #[must_use]
    pub fn resolved_gpu_memory_utilization(&self) -> f64 {
        self.gpu_memory_utilization
            .unwrap_or(self.version.gpu_memory_utilization())
    }

    /// [`Self::max_num_seqs`], or the API server's default.
    #[must_use]
    pub fn resolved_max_num_seqs(&self, gpu: &Gpu) -> u32 {
        self.max_num_seqs
            .unwrap_or(if Self::large(gpu) { 1024 } else { 256 })
    }

    /// [`Self::max_model_len`], or the model's.
    #[must_use]
    pub fn resolved_max_model_len(&self, model: &Model) -> u32 {
        self.max_model_len.unwrap_or(model.max_model_len)
    }

    /// [`Self::max_num_batched_tokens`], or the API server's default.
    #[must_use]
    pub fn resolved_max_num_batched_tokens(&self, model: &Model, gpu: &Gpu) -> u32 {
        if let Some(tokens) = self.max_num_batched_tokens {
            return tokens;
        }
        let seqs = self.resolved_max_num_seqs(gpu);
        let len = self.resolved_max_model_len(model);
        let default = if gpu.memory_bytes >= LARGEST_GPU_BYTES {
            16_384
        } else if Self::large(gpu) {
            8192
        } else {
            2048
        };
        let default = if self.enable_chunked_prefill {
            default
        } else {
            default.max(len)
        };
        default.max(seqs).min(seqs.saturating_mul(len))
    }

    /// Tokens that a model drafts for each request and step.
    pub(crate) fn tokens_drafted_by_model(&self) -> u32 {
        match self.speculative_method {
            SpeculativeMethod::Ngram => 0,
            SpeculativeMethod::Eagle | SpeculativeMethod::Mtp => self.num_speculative_tokens,
        }
    }

    /// Layers of the largest stage and the one that drafts, relative to the model's.
    pub(crate) fn layers_on_a_gpu(&self, model: &Model) -> f64 {
        let drafters = self.tokens_drafted_by_model().min(1);
        let stage = model.layers.div_ceil(self.pipeline_parallel_size);
        f64::from(stage + drafters) / f64::from(model.layers)
    }

    /// GPUs that the experts of a mixture are split over: those of all engines.
    pub(crate) fn expert_ranks(&self) -> u32 {
        self.tensor_parallel_size * self.data_parallel_size
    }

    /// Data types of the weights: those of a checkpoint that is quantised stay.
    pub(crate) fn weights(&self, model: &Model) -> Weights {
        let as_run = |checkpoint| match (checkpoint, self.quantization.weights()) {
            (WeightsDtype::Bfloat16, Some(quantised)) => quantised,
            (checkpoint, _) => checkpoint,
        };
        let of_experts = model.experts.and_then(|experts| experts.weights_dtype);
        Weights {
            layers: match of_experts {
                // Such a checkpoint leaves its other weights as they are.
                Some(_) => model.weights_dtype,
                None => as_run(model.weights_dtype),
            },
            experts: as_run(of_experts.unwrap_or(model.weights_dtype)),
        }
    }
}
