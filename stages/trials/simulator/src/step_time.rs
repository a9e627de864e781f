use crate::batch::Load;
use crate::cuda_graphs::CudaGraphs;
use crate::{EngineConfig, Gpu, Model};

/// Small kernels of one layer (norms, rotary embedding, activation, KV write) inside a CUDA graph.
const SMALL_S_PER_LAYER: f64 = 15e-6;
/// How much longer they take outside a full graph.
const SMALL_WITHOUT_GRAPH: f64 = 2.0;
/// Sampler, fixed part and part per sequence; measured on an RTX 4090 under vLLM 0.19.
const SAMPLER_S: f64 = 25e-6;
const SAMPLER_S_PER_SEQUENCE: f64 = 1.1e-6;
/// Share of the way from the mean to the longest context that a batch of unequal contexts costs;
/// measured 0.03 to 0.10.
const SKEW: f64 = 0.05;
/// Host work of one step: fixed part when it is hidden behind the GPU, when it is not, and when
/// it is not under tensor parallelism (fitted on H100 runs of vLLM 0.12: 2.5 to 3.6 ms).
const HOST_S: f64 = 0.5e-3;
const HOST_S_SYNC_TP: f64 = 3.0e-3;
const HOST_S_PER_SEQUENCE: f64 = 3e-6;

/// Time of one engine step, from the data sheet and what kernels reach of it.
pub(crate) struct StepTime {
    layers: f64,
    compute_s_per_token: f64,
    attention_weights_s: f64,
    expert_weights_s: f64,
    experts: Option<(f64, f64)>,
    prefill_s_per_pair: f64,
    decode_s_per_context: f64,
    mixed_decode: f64,
    head_read_s: f64,
    head_s_per_sequence: f64,
    reduced_bytes_per_token: f64,
    ranks: f64,
    gpu: Gpu,
    graphs: CudaGraphs,
    asynchronous: bool,
    host_s: f64,
}

impl StepTime {
    pub(crate) fn new(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Self {
        let ranks = f64::from(config.tensor_parallel_size);
        let layers = f64::from(model.layers);
        let (flops, read) = rates(config.weight_bytes(model), gpu);
        let bandwidth = gpu.bandwidth_tb_s * 1e12;
        let active = model
            .experts
            .map_or(1.0, |experts| f64::from(experts.active));
        let computed = layers * (model.attention_params() + active * model.ffn_params()) / ranks;
        let weights_s = |params: f64| layers * params * config.weight_bytes(model) / ranks / read;
        let heads = f64::from(model.heads) * f64::from(model.head_dim);
        let kv_bytes = model.kv_elements_per_token() * config.kv_cache_dtype.bytes() / ranks;
        let group = f64::from(model.heads) / f64::from(model.kv_heads);
        let bf16 = gpu.bf16_tflops * 1e12;
        Self {
            layers,
            compute_s_per_token: 2.0 * computed / flops,
            attention_weights_s: weights_s(model.attention_params()),
            expert_weights_s: weights_s(model.ffn_params()),
            experts: model
                .experts
                .map(|e| (f64::from(e.count), f64::from(e.active))),
            prefill_s_per_pair: 4.0 * heads * layers / ranks / (bf16 * gpu.prefill_attn),
            decode_s_per_context: kv_bytes / (bandwidth * gpu.decode_attn),
            // The kernel for mixed batches neither packs query heads nor splits the KV cache.
            mixed_decode: group.sqrt(),
            head_read_s: model.vocab_params() * 2.0 / ranks / (bandwidth * gpu.gemm_read),
            head_s_per_sequence: 2.0 * model.vocab_params() / ranks / (bf16 * gpu.gemm),
            reduced_bytes_per_token: f64::from(model.hidden) * 2.0,
            ranks,
            gpu: gpu.clone(),
            graphs: CudaGraphs::new(config, model, gpu),
            asynchronous: config.async_scheduling,
            host_s: if config.async_scheduling || ranks < 2.0 {
                HOST_S
            } else {
                HOST_S_SYNC_TP
            },
        }
    }

    /// Seconds from the start of the step to its results.
    pub(crate) fn seconds(&self, load: &Load) -> f64 {
        let padded = self.graphs.padded(load.tokens);
        let full_graph = padded.is_some() && load.pure_decode();
        let tokens = f64::from(padded.unwrap_or(load.tokens));
        let small = if full_graph { 1.0 } else { SMALL_WITHOUT_GRAPH };
        let gpu_s = self.linear_s(tokens)
            + self.attention_s(load)
            + self.head_s(load)
            + self.communication_s(tokens, full_graph)
            + self.layers * SMALL_S_PER_LAYER * small;
        let host_s = self.host_s + HOST_S_PER_SEQUENCE * f64::from(load.sequences);
        if self.asynchronous {
            gpu_s.max(host_s)
        } else {
            gpu_s + host_s
        }
    }

    /// Computing and reading in quadrature, not the greater of the two: near the knee of the
    /// roofline kernels overlap them badly (a product of 128 tokens on an RTX 4090 reaches 72 % of
    /// the greater one). Of the exponents 1, 1.5, 2, 3 and the maximum, 2 has the least error on
    /// the kernel tables of H100, H200 and L40S together, and less than the maximum on every GPU.
    fn linear_s(&self, tokens: f64) -> f64 {
        let blocks_read = self.experts.map_or(1.0, |(count, active)| {
            // Expected number of distinct experts that the tokens visit.
            count * (1.0 - (1.0 - active / count).powf(tokens))
        });
        let read_s = self.attention_weights_s + blocks_read * self.expert_weights_s;
        (self.compute_s_per_token * tokens).hypot(read_s)
    }

    fn attention_s(&self, load: &Load) -> f64 {
        let equal_s = load.context_sum * self.decode_s_per_context;
        let longest_s = load.context_max * f64::from(load.decodes) * self.decode_s_per_context;
        let decode_s = equal_s + SKEW * (longest_s - equal_s);
        let kappa = if load.mixed() { self.mixed_decode } else { 1.0 };
        kappa * decode_s + load.prefill_pairs * self.prefill_s_per_pair
    }

    /// vLLM samples for every sequence, and drops the token of a prompt that is not done.
    fn head_s(&self, load: &Load) -> f64 {
        let sequences = f64::from(load.sequences);
        let product_s = self.head_read_s.max(self.head_s_per_sequence * sequences);
        product_s + SAMPLER_S + SAMPLER_S_PER_SEQUENCE * sequences
    }

    fn communication_s(&self, tokens: f64, graph: bool) -> f64 {
        if self.ranks < 2.0 {
            return 0.0;
        }
        let bytes = tokens * self.reduced_bytes_per_token;
        2.0 * self.layers * self.gpu.all_reduce_s(bytes, self.ranks, graph)
    }
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

    fn decode(batch: u32, context: f64) -> Load {
        Load {
            tokens: batch,
            sequences: batch,
            decodes: batch,
            context_sum: f64::from(batch) * context,
            context_max: context,
            prefill_pairs: 0.0,
        }
    }

    fn llama(gpu: &str, config: &EngineConfig) -> StepTime {
        let model = Model::named("llama-3.1-8b").unwrap();
        StepTime::new(config, model, Gpu::named(gpu).unwrap())
    }

    /// 16.06 GB of weights at 3.35 TB/s × 0.80 are 6.0 ms: what an H100 needs for one token.
    #[test]
    fn lone_decode_on_h100_is_the_time_to_read_the_weights() {
        let seconds = llama("h100-sxm", &EngineConfig::default()).seconds(&decode(1, 500.0));
        assert!((0.0055..0.0075).contains(&seconds), "{seconds}");
    }

    /// Microseconds of one layer's products by tokens, from LLMServingSim's kernel profile under
    /// vLLM 0.19: reading at the start, computing at the end, the knee between.
    #[test]
    fn products_on_rtx_4090_take_what_was_measured() {
        let time = llama("rtx-4090", &EngineConfig::default());
        for (tokens, measured_us) in [
            (1.0, 467.0),
            (64.0, 532.0),
            (128.0, 602.0),
            (192.0, 690.0),
            (512.0, 1387.0),
            (2048.0, 5407.0),
        ] {
            let us = time.linear_s(tokens) / time.layers * 1e6;
            assert!(
                (us / measured_us - 1.0).abs() < 0.12,
                "{tokens}: {us} {measured_us}"
            );
        }
    }

    #[test]
    fn step_takes_longer_with_more_requests_and_longer_contexts() {
        let time = llama("l40s", &EngineConfig::default());
        let by_batch = [1, 8, 64, 256].map(|n| time.seconds(&decode(n, 500.0)));
        let by_context = [1e2, 1e3, 1e4].map(|c| time.seconds(&decode(32, c)));
        assert!(by_batch.is_sorted() && by_context.is_sorted());
    }

    #[test]
    fn synchronous_steps_pay_for_the_host() {
        let config = EngineConfig {
            async_scheduling: false,
            ..EngineConfig::default()
        };
        let load = decode(8, 500.0);
        let sync = llama("h100-sxm", &config).seconds(&load);
        assert!(sync > llama("h100-sxm", &EngineConfig::default()).seconds(&load));
    }
}
