use crate::model::ProductShape;
use crate::{EngineConfig, Gpu, Model, Products, WeightsDtype};

/// What the experts of a layer take besides their products: router, choice of the experts,
/// sorting, two launches, sum. Measured on an RTX PRO 6000 with 128 experts, as the next one.
const EXPERTS_S: f64 = 35e-6;
/// Share that products of experts reach of what dense ones do: rows come in blocks per expert,
/// which are seldom full.
const EXPERTS_GEMM: f64 = 0.7;

/// Matrix products of the layers on one rank.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    /// Products by the number of layers that have them.
    dense: Vec<(f64, Product)>,
    mixture: Option<Mixture>,
}

/// One matrix product.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Product {
    launch_s: f64,
    weights_s: f64,
    compute_s_per_token: f64,
    activations_s_per_token: f64,
}

/// Experts of the layers that have them.
#[derive(Debug, Clone)]
struct Mixture {
    layers: f64,
    count: f64,
    active: f64,
    read_s_per_expert: f64,
    compute_s_per_token: f64,
}

impl Linear {
    pub(super) fn new(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Self {
        let ranks = f64::from(config.tensor_parallel_size);
        let weights = config.weights(model);
        let product = |shape: &ProductShape| Product::new(*shape, weights.layers, gpu);
        let attention = model.attention_products(ranks);
        let layers = f64::from(model.layers);
        let mut dense: Vec<_> = attention.iter().map(|s| (layers, product(s))).collect();
        for (layers, width) in model.dense_blocks() {
            let block = model.ffn_products(width / ranks);
            dense.extend(block.iter().map(|shape| (layers, product(shape))));
        }
        Self {
            dense,
            mixture: Mixture::new(config, model, gpu),
        }
    }

    /// `everywhere`: tokens of all ranks that share the experts.
    pub(super) fn seconds(&self, tokens: f64, everywhere: f64) -> f64 {
        let products = self.dense.iter();
        let dense_s: f64 = products
            .map(|(layers, product)| layers * product.seconds(tokens))
            .sum();
        dense_s + self.mixture.as_ref().map_or(0.0, |m| m.seconds(everywhere))
    }
}

impl Product {
    pub(super) fn new((n, k): ProductShape, weights: WeightsDtype, gpu: &Gpu) -> Self {
        let of_gpu = gpu.products(weights);
        let read = gpu.bandwidth_tb_s * 1e12 * of_gpu.read;
        Self {
            launch_s: of_gpu.launch_us * 1e-6,
            weights_s: n * k * weights.bytes() / read,
            compute_s_per_token: 2.0 * n * k / flops(&of_gpu),
            activations_s_per_token: (n + k) * WeightsDtype::Bfloat16.bytes() / read,
        }
    }

    /// Computing and reading in quadrature, not the greater of the two: near the knee of the
    /// roofline kernels overlap them badly. Of the exponents, 2 is within 0.5 % of the best on
    /// the bf16 tables of A100, H100, H200, L40S and RTX PRO 6000 (mean log error 8 to 11 %).
    pub(super) fn seconds(&self, tokens: f64) -> f64 {
        let memory_s = self.weights_s + self.activations_s_per_token * tokens;
        self.launch_s + memory_s.hypot(self.compute_s_per_token * tokens)
    }
}

impl Mixture {
    fn new(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Option<Self> {
        let experts = model.experts?;
        let ranks = f64::from(config.expert_ranks());
        let weights = config.weights(model).experts;
        let of_gpu = gpu.products(weights);
        let params = model.ffn_params(f64::from(model.ffn)) / ranks;
        let active = f64::from(experts.active);
        let read = gpu.bandwidth_tb_s * 1e12 * of_gpu.read;
        Some(Self {
            layers: model.mixture_layers(),
            count: f64::from(experts.count),
            active,
            read_s_per_expert: params * weights.bytes() / read,
            compute_s_per_token: 2.0 * active * params / (flops(&of_gpu) * EXPERTS_GEMM),
        })
    }

    fn seconds(&self, tokens: f64) -> f64 {
        let read_s = self.read_s_per_expert * distinct(self.count, self.active, tokens);
        let compute_s = self.compute_s_per_token * tokens;
        self.layers * (EXPERTS_S + read_s.hypot(compute_s))
    }
}

/// Achieved operations per second.
fn flops(products: &Products) -> f64 {
    products.tflops * 1e12 * products.gemm
}

/// Expected number of distinct experts that tokens visit.
pub(super) fn distinct(count: f64, active: f64, tokens: f64) -> f64 {
    count * (1.0 - (1.0 - active / count).powf(tokens))
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
        let linear = Linear::new(&EngineConfig::default(), model, gpu);
        for (tokens, measured_us) in [
            (1.0, 467.0),
            (64.0, 532.0),
            (128.0, 602.0),
            (192.0, 690.0),
            (512.0, 1387.0),
            (2048.0, 5407.0),
        ] {
            let us = linear.seconds(tokens, tokens) / f64::from(model.layers) * 1e6;
            assert!(
                (us / measured_us - 1.0).abs() < 0.12,
                "{tokens}: {us} {measured_us}"
            );
        }
    }

    /// Microseconds of the experts of one layer of Qwen3-30B-A3B by tokens and experts visited,
    /// from the same profiler on an RTX PRO 6000; all experts are visited.
    #[test]
    fn experts_on_rtx_pro_6000_take_what_was_measured() {
        let model = Model::named("qwen3-30b-a3b").unwrap();
        let gpu = Gpu::named("rtx-pro-6000").unwrap();
        let mixture = Mixture::new(&EngineConfig::default(), model, gpu).unwrap();
        for (tokens, measured_us) in [(128.0, 849.0), (1024.0, 970.0), (2048.0, 1067.0)] {
            let us = mixture.seconds(tokens) / f64::from(model.layers) * 1e6;
            assert!(
                (us / measured_us - 1.0).abs() < 0.12,
                "{tokens}: {us} {measured_us}"
            );
        }
    }

    /// fp8 halves the bytes and not the time: its reads are less efficient, its launches longer.
    #[test]
    fn fewer_bytes_are_faster_by_less_than_the_bytes() {
        let model = Model::named("llama-3.1-8b").unwrap();
        let gpu = Gpu::named("h100-sxm").unwrap();
        let seconds = |quantization| {
            let config = EngineConfig {
                quantization,
                ..EngineConfig::default()
            };
            Linear::new(&config, model, gpu).seconds(8.0, 8.0)
        };
        use crate::Quantization::{Awq, Fp8, None};
        let speed_up = [Fp8, Awq].map(|quantised| seconds(None) / seconds(quantised));
        assert!((1.4..2.0).contains(&speed_up[0]), "{speed_up:?}");
        assert!((1.9..3.9).contains(&speed_up[1]), "{speed_up:?}");
    }
}
