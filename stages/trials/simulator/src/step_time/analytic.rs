use super::decode::DecodeAttention;
use super::linear::{Linear, Product};
use super::skew::Skew;
use crate::batch::Load;
use crate::{EngineConfig, Gpu, Model, WeightsDtype};

/// Small kernels of one layer (norms, rotary embedding, activation, KV write) inside a CUDA graph.
pub(super) const SMALL_S_PER_LAYER: f64 = 15e-6;
/// How much longer they take outside a full graph, in their own time.
const UNGRAPHED: f64 = 1.0;
/// Sampler, fixed part and part per sequence; measured on an RTX 4090 under vLLM 0.19.
pub(super) const SAMPLER_S: f64 = 25e-6;
pub(super) const SAMPLER_S_PER_SEQUENCE: f64 = 1.1e-6;

/// Kernels from the data sheet and what is reached of it.
#[derive(Clone)]
pub(super) struct Analytic {
    layers: f64,
    linear: Linear,
    head: Product,
    small_s_per_token: f64,
    prefill_s_per_pair: f64,
    prefill_keys: f64,
    decode: PerToken,
    mixed_decode: f64,
    /// Tokens that a layer with a sliding window attends to.
    window: f64,
    /// Share of the layers that have none.
    full: f64,
}

/// Decode attention of all layers by the tokens attended to.
#[derive(Debug, Clone, Copy)]
pub(super) struct PerToken {
    launch_s: f64,
    full_s: f64,
    windowed_s: f64,
    window: f64,
    skew: Skew,
}

impl Analytic {
    pub(super) fn new(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Self {
        let ranks = f64::from(config.tensor_parallel_size);
        let layers = f64::from(model.layers);
        let vocab = (f64::from(model.vocab) / ranks, f64::from(model.hidden));
        let attention_flops = gpu.bf16.tflops * 1e12 * gpu.prefill_attn;
        let decode = PerToken::new(config, model, gpu);
        Self {
            layers,
            linear: Linear::new(config, model, gpu),
            head: Product::new(vocab, WeightsDtype::Bfloat16, gpu),
            small_s_per_token: small_bytes(model, ranks) * layers / (gpu.bandwidth_tb_s * 1e12),
            prefill_s_per_pair: pair_flops(model) * layers / ranks / attention_flops,
            prefill_keys: gpu.prefill_keys,
            window: decode.window,
            full: model.full_layers() / layers,
            decode,
            mixed_decode: mixed_decode(model),
        }
    }

    /// `everywhere`: tokens of all ranks that share the experts.
    pub(super) fn linear_s(&self, tokens: f64, everywhere: f64) -> f64 {
        self.linear.seconds(tokens, everywhere)
    }

    pub(super) fn decode_attention(&self, requests: u32) -> DecodeAttention {
        DecodeAttention::PerToken(f64::from(requests), self.decode)
    }

    /// Attention of the prompt chunks, and of the decoding requests beside them.
    pub(super) fn attention_s(&self, load: &Load) -> (f64, f64) {
        let decodes = f64::from(load.decodes);
        let reading_s = self.decode.reading_s(decodes, load.context_sum);
        let mean = load.context_sum / decodes.max(1.0);
        let skew_s = self.decode.skew.mixed_s(mean, load.context_max);
        let tokens = f64::from(load.tokens - load.decodes - load.drafts);
        let windowed = load.prefill_pairs.min(tokens * self.window);
        let pairs = self.full * load.prefill_pairs + (1.0 - self.full) * windowed;
        let prefill_s = (pairs + tokens * self.prefill_keys) * self.prefill_s_per_pair;
        (
            self.decode.launch_s + prefill_s,
            reading_s * self.mixed_decode + skew_s,
        )
    }

    /// Vocabulary product and sampler of so many tokens.
    pub(super) fn head_s(&self, sequences: f64) -> f64 {
        self.head.seconds(sequences) + SAMPLER_S + SAMPLER_S_PER_SEQUENCE * sequences
    }

    pub(super) fn small_s(&self, tokens: f64) -> f64 {
        self.layers * SMALL_S_PER_LAYER + self.small_s_per_token * tokens
    }

    pub(super) fn ungraphed_s(&self, full_graph: bool) -> f64 {
        let longer = if full_graph { 0.0 } else { UNGRAPHED };
        self.layers * SMALL_S_PER_LAYER * longer
    }
}

impl PerToken {
    fn new(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Self {
        let ranks = f64::from(config.tensor_parallel_size);
        let bytes = config.kv_cache_dtype.bytes();
        let share = if bytes < WeightsDtype::Bfloat16.bytes() {
            gpu.decode_attn_fp8
        } else {
            gpu.decode_attn
        };
        let read_s = model.kv_elements(ranks) * bytes / (gpu.bandwidth_tb_s * 1e12 * share);
        // All heads share a latent, so that computing with it is no longer little.
        let compute_s = model.latent.map_or(0.0, |latent| {
            let elements = 2.0 * f64::from(latent.kv_rank) + f64::from(latent.rope_dim);
            let flops = 2.0 * elements * f64::from(model.heads) / ranks;
            flops / (gpu.bf16.tflops * 1e12 * gpu.prefill_attn)
        });
        let layer_s = read_s.hypot(compute_s);
        let window = model.window;
        Self {
            launch_s: f64::from(model.layers) * gpu.attention_us * 1e-6,
            full_s: model.full_layers() * layer_s,
            windowed_s: window.map_or(0.0, |w| f64::from(w.layers) * layer_s),
            window: window.map_or(0.0, |w| f64::from(w.tokens)),
            skew: Skew::new(config, model, gpu),
        }
    }

    /// Seconds of a batch by the sum of its contexts and the longest of them.
    pub(super) fn seconds(&self, requests: f64, context_sum: f64, context_max: f64) -> f64 {
        let skew_s = self
            .skew
            .decode_s(requests, context_sum / requests, context_max);
        self.launch_s + self.reading_s(requests, context_sum) + skew_s
    }

    fn reading_s(&self, requests: f64, context_sum: f64) -> f64 {
        context_sum * self.full_s + context_sum.min(requests * self.window) * self.windowed_s
    }
}

/// Operations per query and key in one layer.
fn pair_flops(model: &Model) -> f64 {
    let value = model.latent.map_or(model.head_dim, |latent| latent.v_dim);
    2.0 * f64::from(model.heads) * (f64::from(model.head_dim) + f64::from(value))
}

/// Bytes that the small kernels of one layer read and write per token: two norms with the
/// residual, rotary embedding, activation.
fn small_bytes(model: &Model, ranks: f64) -> f64 {
    let hidden = f64::from(model.hidden);
    let rotated = f64::from(model.heads) * f64::from(model.head_dim) / ranks;
    let visited = model.experts.map_or(1.0, |e| f64::from(e.active));
    let activated = visited * f64::from(model.ffn) / ranks;
    WeightsDtype::Bfloat16.bytes() * (8.0 * hidden + 2.0 * rotated + 3.0 * activated)
}

/// Cost of decode attention beside a prompt against alone: the kernel for mixed batches neither
/// packs the query heads of a group nor splits the KV cache. Measured 1.3 to 2.9 at 4 heads in a
/// group, 2.4 to 3.2 at 8. Heads that share a latent are packed either way.
pub(super) fn mixed_decode(model: &Model) -> f64 {
    (f64::from(model.heads) / f64::from(model.kv_heads)).sqrt()
}
