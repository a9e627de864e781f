use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{WeightsDtype, catalogue};

pub(crate) const DATA: &str = include_str!("../data/gpus.toml");
static GPUS: LazyLock<BTreeMap<String, Gpu>> =
    LazyLock::new(|| catalogue::read(DATA, |gpu: &mut Gpu| &mut gpu.name));

/// A GPU: its data sheet, and what kernels reach of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// Name in reports; in the catalogue, the entry's own.
    #[serde(default)]
    pub name: String,
    /// What it is.
    pub about: String,
    /// Device memory.
    pub memory_bytes: u64,
    /// Memory bandwidth.
    pub bandwidth_tb_s: f64,
    /// Matrix products of bf16.
    pub bf16: Products,
    /// Of fp8 with scales per tensor or channel; none where the hardware has no fp8: weights then
    /// only take less memory.
    #[serde(default)]
    pub fp8: Option<Products>,
    /// Of fp8 with scales per block.
    #[serde(default)]
    pub fp8_block: Option<Products>,
    /// Of fp4.
    #[serde(default)]
    pub fp4: Option<Products>,
    /// Share of the bandwidth when decode attention reads a bf16 KV cache.
    pub decode_attn: f64,
    /// Share of the bandwidth when it reads one of fp8.
    pub decode_attn_fp8: f64,
    /// Share of the bf16 peak in prefill attention.
    pub prefill_attn: f64,
    /// Keys that a query of a prompt costs besides those that it attends to.
    pub prefill_keys: f64,
    /// What the attention of a layer takes besides, microseconds.
    pub attention_us: f64,
    /// All-reduce over 2 GPUs in a CUDA graph: microseconds for 2 KB, 2 MB, 64 MB.
    pub all_reduce_tp2_us: [f64; 3],
    /// The same over 8 GPUs.
    pub all_reduce_tp8_us: [f64; 3],
    /// Least latency of an all-reduce outside a CUDA graph, microseconds.
    pub eager_floor_us: f64,
    /// Price per GPU and hour, for orientation.
    #[serde(default)]
    pub usd_per_hour: Option<f64>,
    /// Where the price is from, and its date.
    #[serde(default)]
    pub price_source: String,
    /// Where the other numbers are from, and their date.
    #[serde(default)]
    pub source: String,
}

/// Matrix products whose weights have one data type.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Products {
    /// Dense peak, teraflops.
    pub tflops: f64,
    /// Share of the peak in large products.
    pub gemm: f64,
    /// Share of the bandwidth when a small batch reads the weights.
    pub read: f64,
    /// What a product takes besides, in a CUDA graph, microseconds.
    pub launch_us: f64,
}

/// Share of the bandwidth that kernels reach which widen weights on the way to bf16 products,
/// against bf16 weights. Chosen: Marlin speeds batches up to 16 up by less than the bytes saved.
const WIDENED_READ: f64 = 0.8;

impl Gpu {
    /// A GPU of the catalogue.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        GPUS.get(name)
    }

    /// Every GPU of the catalogue.
    pub fn names() -> impl Iterator<Item = &'static str> {
        GPUS.keys().map(String::as_str)
    }

    /// Products of weights of a data type.
    pub(crate) fn products(&self, weights: WeightsDtype) -> Products {
        let widened = Products {
            read: self.bf16.read * WIDENED_READ,
            ..self.bf16
        };
        match weights {
            WeightsDtype::Bfloat16 => self.bf16,
            WeightsDtype::Fp8 => self.fp8.unwrap_or(widened),
            WeightsDtype::Fp8Block => self.fp8_block.or(self.fp8).unwrap_or(widened),
            WeightsDtype::Int8 | WeightsDtype::Int4 => widened,
            WeightsDtype::Nvfp4 => self.fp4.unwrap_or(widened),
            // Activations stay fp8: its rate, and the reads of fp4.
            WeightsDtype::Mxfp4 => match (self.fp8, self.fp4) {
                (Some(fp8), Some(fp4)) => Products {
                    tflops: fp8.tflops,
                    gemm: fp8.gemm,
                    ..fp4
                },
                (None, _) | (_, None) => widened,
            },
        }
    }

    /// The GPU with its neighbours behind a link of a latency, s, and a rate, bytes/s: an
    /// all-reduce takes the latency and the time to send its bytes.
    #[must_use]
    pub fn with_link(self, latency_s: f64, bytes_per_s: f64) -> Self {
        let latency_us = latency_s * 1e6;
        let us = SIZES.map(|bytes| latency_us + bytes / bytes_per_s * 1e6);
        Self {
            all_reduce_tp2_us: us,
            all_reduce_tp8_us: us,
            eager_floor_us: latency_us,
            ..self
        }
    }

    /// Seconds of an all-reduce of `bytes` over `n` GPUs. Between the measured sizes it is latency
    /// and transfer, so linear in size; between 2 and 8 GPUs geometric.
    pub(crate) fn all_reduce_s(&self, bytes: f64, n: f64, graph: bool) -> f64 {
        let two = interpolate(&self.all_reduce_tp2_us, bytes);
        let eight = interpolate(&self.all_reduce_tp8_us, bytes);
        // log2 of 2 is 1 and of 8 is 3.
        let weight = ((n.log2() - 1.0) / 2.0).clamp(0.0, 1.0);
        let us = two * (eight / two).powf(weight);
        let us = if graph {
            us
        } else {
            us.max(self.eager_floor_us)
        };
        us * 1e-6
    }
}

/// Sizes of all-reduces that the catalogue holds times for, bytes.
const SIZES: [f64; 3] = [2048.0, 2_097_152.0, 67_108_864.0];

/// Microseconds at a size between or beyond the measured ones.
fn interpolate(points: &[f64; 3], bytes: f64) -> f64 {
    let segment = usize::from(bytes > SIZES[1]);
    let slope = (points[segment + 1] - points[segment]) / (SIZES[segment + 1] - SIZES[segment]);
    points[segment] + slope * (bytes.max(SIZES[0]) - SIZES[segment])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogue_parses_and_says_where_its_numbers_are_from() {
        assert_eq!(Gpu::names().count(), 14);
        assert!(Gpu::named("h100-sxm").is_some() && Gpu::named("h1000").is_none());
        for gpu in Gpu::names().map(|name| Gpu::named(name).unwrap()) {
            assert!(!gpu.source.is_empty() && !gpu.price_source.is_empty());
        }
    }

    #[test]
    fn all_reduce_meets_the_measured_points_and_grows() {
        let gpu = Gpu::named("h100-sxm").unwrap();
        assert!((gpu.all_reduce_s(2_097_152.0, 2.0, true) - 12e-6).abs() < 1e-9);
        assert!((gpu.all_reduce_s(1024.0, 2.0, false) - 21e-6).abs() < 1e-9);
        let sizes = (8..27).map(|p| gpu.all_reduce_s(2_f64.powi(p), 4.0, true));
        assert!(sizes.collect::<Vec<_>>().is_sorted());
    }

    #[test]
    fn link_takes_its_latency_and_the_bytes() {
        let gpu = Gpu::named("rtx-pro-6000")
            .unwrap()
            .clone()
            .with_link(20e-6, 16e9);
        for bytes in [1e6, 4e6, 1e8] {
            let seconds = gpu.all_reduce_s(bytes, 2.0, true);
            assert!(
                (seconds - (20e-6 + bytes / 16e9)).abs() < 1e-12,
                "{bytes}: {seconds}"
            );
        }
    }

    /// Sizes that the catalogue does not hold, of the same table (AIConfigurator 0.12, vLLM in a
    /// CUDA graph; its message sizes are numbers of 2-byte elements): microseconds of 1 MB and 32 MB.
    #[test]
    fn all_reduce_between_the_measured_points_is_near_what_was_measured() {
        for (name, gpus, measured) in [
            ("h100-sxm", 2.0, [8.3, 156.3]),
            ("h200-sxm", 8.0, [14.1, 165.9]),
            ("a100-80g-sxm", 2.0, [10.7, 222.2]),
            ("rtx-pro-6000", 8.0, [133.5, 2546.5]),
        ] {
            for (bytes, us) in [1_048_576.0, 33_554_432.0].into_iter().zip(measured) {
                let ours = Gpu::named(name).unwrap().all_reduce_s(bytes, gpus, true) * 1e6;
                assert!(
                    (ours / us - 1.0).abs() < 0.25,
                    "{name} {bytes}: {ours} {us}"
                );
            }
        }
    }
}
