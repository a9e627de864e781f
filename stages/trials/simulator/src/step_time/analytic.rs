use super::decode::DecodeAttention;
use super::skew::Skew;
use crate::batch::Load;
use crate::{EngineConfig, Gpu, Model};

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
    attention_compute_s_per_token: f64,
    expert_compute_s_per_token: f64,
    attention_weights_s: f64,
    expert_weights_s: f64,
    experts: Option<(f64, f64)>,
    prefill_s_per_pair: f64,
    decode_s_per_context: f64,
    mixed_decode: f64,
    skew: Skew,
    head_read_s: f64,
    head_s_per_sequence: f64,
}

impl Analytic {
    pub(super) fn new(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Self {
        let ranks = f64::from(config.tensor_parallel_size);
        let expert_ranks = f64::from(config.expert_ranks());
        let layers = f64::from(model.layers);
        let (flops, read) = rates(config.weight_bytes(model), gpu);
        let bandwidth = gpu.bandwidth_tb_s * 1e12;
        let active = model.experts.map_or(1.0, |e| f64::from(e.active));
        let compute_s = |params: f64| 2.0 * layers * params / flops;
        let weights_s = |params: f64| layers * params * config.weight_bytes(model) / read;
        let heads = f64::from(model.heads) * f64::from(model.head_dim);
        let kv_bytes = model.kv_elements_per_token() * config.kv_cache_dtype.bytes() / ranks;
        let bf16 = gpu.bf16_tflops * 1e12;
        Self {
            layers,
            attention_compute_s_per_token: compute_s(model.attention_params()) / ranks,
            expert_compute_s_per_token: compute_s(active * model.ffn_params()) / expert_ranks,
            attention_weights_s: weights_s(model.attention_params()) / ranks,
            expert_weights_s: weights_s(model.ffn_params()) / expert_ranks,
            experts: model
                .experts
                .map(|e| (f64::from(e.count), f64::from(e.active))),
            prefill_s_per_pair: 4.0 * heads * layers / ranks / (bf16 * gpu.prefill_attn),
            decode_s_per_context: kv_bytes / (bandwidth * gpu.decode_attn),
            mixed_decode: mixed_decode(model),
            skew: Skew::new(config, model, gpu),
            head_read_s: model.vocab_params() * 2.0 / ranks / (bandwidth * gpu.gemm_read),
            head_s_per_sequence: 2.0 * model.vocab_params() / ranks / (bf16 * gpu.gemm),
        }
    }

    /// Computing and reading in quadrature, not the greater of the two: near the knee of the
    /// roofline kernels overlap them badly (a product of 128 tokens on an RTX 4090 reaches 72 % of
    /// the greater one). Of the exponents 1, 1.5, 2, 3 and the maximum, 2 has the least error on
    /// the kernel tables of H100, H200 and L40S together, and less than the maximum on every GPU.
    ///
    /// `everywhere`: tokens of all ranks that share the experts.
    pub(super) fn linear_s(&self, tokens: f64, everywhere: f64) -> f64 {
        let blocks_read = self
            .experts
            .map_or(1.0, |(count, active)| distinct(count, active, everywhere));
        let read_s = self.attention_weights_s + blocks_read * self.expert_weights_s;
        let expert_tokens = if self.experts.is_some() {
            everywhere
        } else {
            tokens
        };
        let compute_s = self.attention_compute_s_per_token * tokens
            + self.expert_compute_s_per_token * expert_tokens;
        compute_s.hypot(read_s)
    }

    pub(super) fn decode_attention(&self, requests: u32) -> DecodeAttention {
        DecodeAttention::PerToken {
            requests: f64::from(requests),
            seconds: self.decode_s_per_context,
            skew: self.skew,
        }
    }

    /// Attention of the prompt chunks, and of the decoding requests beside them.
    pub(super) fn attention_s(&self, load: &Load) -> (f64, f64) {
        let equal_s = load.context_sum * self.decode_s_per_context * self.mixed_decode;
        let mean = load.context_sum / f64::from(load.decodes.max(1));
        let decode_s = equal_s + self.skew.mixed_s(mean, load.context_max);
        (load.prefill_pairs * self.prefill_s_per_pair, decode_s)
    }

    /// vLLM samples for every sequence, and drops the token of a prompt that is not done.
    pub(super) fn head_s(&self, load: &Load) -> f64 {
        let sequences = f64::from(load.sequences);
        let product_s = self.head_read_s.max(self.head_s_per_sequence * sequences);
        product_s + SAMPLER_S + SAMPLER_S_PER_SEQUENCE * sequences
    }

    pub(super) fn small_s(&self) -> f64 {
        self.layers * SMALL_S_PER_LAYER
    }

    pub(super) fn ungraphed_s(&self, full_graph: bool) -> f64 {
        let longer = if full_graph { 0.0 } else { UNGRAPHED };
        self.layers * SMALL_S_PER_LAYER * longer
    }
}

/// Cost of decode attention beside a prompt against alone: the kernel for mixed batches neither
/// packs the query heads of a group nor splits the KV cache. Measured 1.3 to 2.9 at 4 heads in a
/// group, 2.4 to 3.2 at 8.
pub(super) fn mixed_decode(model: &Model) -> f64 {
    (f64::from(model.heads) / f64::from(model.kv_heads)).sqrt()
}

/// Expected number of distinct experts that tokens visit.
pub(super) fn distinct(count: f64, active: f64, tokens: f64) -> f64 {
    count * (1.0 - (1.0 - active / count).powf(tokens))
}

/// Achieved operations per second in the layers' products, and bytes per second of their weights.
fn rates(weight_bytes: f64, gpu: &Gpu) -> (f64, f64) {
    let bandwidth = gpu.bandwidth_tb_s * 1e12;
    let bf16 = gpu.bf16_tflops * 1e12 * gpu.gemm;
    if weight_bytes > 1.0 {
        return (bf16, bandwidth * gpu.gemm_read);
    }
    let fp8 = match (gpu.fp8_tflops, gpu.gemm_fp8) {
        (Some(tflops), Some(share)) => tflops * 1e12 * share,
        // Weights are widened on the way to bf16 products.
        _ => bf16,
    };
    (fp8, bandwidth * gpu.gemm_read_fp8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Microseconds of one layer's products by tokens, from LLMServingSim's kernel profile under
    /// vLLM 0.19: reading at the start, computing at the end, the knee between.
    #[test]
    fn products_on_rtx_4090_take_what_was_measured() {
        let model = Model::named("llama-3.1-8b").unwrap();
        let gpu = Gpu::named("rtx-4090").unwrap();
        let time = Analytic::new(&EngineConfig::default(), model, gpu);
        for (tokens, measured_us) in [
            (1.0, 467.0),
            (64.0, 532.0),
            (128.0, 602.0),
            (192.0, 690.0),
            (512.0, 1387.0),
            (2048.0, 5407.0),
        ] {
            let us = time.linear_s(tokens, tokens) / time.layers * 1e6;
            assert!(
                (us / measured_us - 1.0).abs() < 0.12,
                "{tokens}: {us} {measured_us}"
            );
        }
    }
}
