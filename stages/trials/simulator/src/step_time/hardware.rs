//! Kernels of any model on one GPU, from AIConfigurator's tables.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::analytic::{SAMPLER_S, SAMPLER_S_PER_SEQUENCE, SMALL_S_PER_LAYER};
use super::curve::Curve;
use super::grid::Grid;
use super::kernels::{KernelError, Kernels};
use super::profile::{empty, rows};
use crate::{EngineConfig, Model, WeightsDtype};

const GEMM: &str = "gemm_compact.csv";
const CONTEXT: &str = "context_attention_compact.csv";
const GENERATION: &str = "generation_attention_compact.csv";

/// Tables of matrix products and of attention by shape.
#[derive(Debug, PartialEq)]
pub(super) struct Hardware {
    gemm: Vec<Gemm>,
    context: Vec<Attention>,
    generation: Vec<Attention>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Gemm {
    gemm_dtype: String,
    m: f64,
    n: f64,
    k: f64,
    latency_ms: f64,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Attention {
    kv_cache_dtype: String,
    batch_size: f64,
    isl: f64,
    num_heads: f64,
    num_key_value_heads: f64,
    head_dim: f64,
    step: f64,
    latency_ms: f64,
}

impl Hardware {
    /// None: there are no such tables.
    pub(super) fn parse(texts: &BTreeMap<String, String>) -> Result<Option<Self>, KernelError> {
        if !texts.contains_key(GEMM) {
            return Ok(None);
        }
        Ok(Some(Self {
            gemm: rows(texts, GEMM)?,
            context: rows(texts, CONTEXT)?,
            generation: rows(texts, GENERATION)?,
        }))
    }

    /// The kernels of a model on one rank.
    pub(super) fn kernels(
        &self,
        config: &EngineConfig,
        model: &Model,
    ) -> Result<Kernels, KernelError> {
        if model.experts.is_some() {
            return Err(empty(GEMM, "experts, which this model has"));
        }
        let ranks = f64::from(config.tensor_parallel_size);
        let shape = Shape::new(model, ranks);
        let weights = match config.weights(model).layers {
            WeightsDtype::Bfloat16 => "bfloat16",
            WeightsDtype::Fp8 => "fp8",
            WeightsDtype::Fp8Block => "fp8_block",
            WeightsDtype::Nvfp4 => "nvfp4",
            other @ (WeightsDtype::Int8 | WeightsDtype::Int4 | WeightsDtype::Mxfp4) => {
                return Err(empty(GEMM, &format!("{other:?} weights")));
            }
        };
        let products = shape.products.map(|(n, k)| self.product(weights, n, k));
        let mut layer = Vec::new();
        for product in products {
            layer.push(product?);
        }
        let head = self.product("bfloat16", shape.vocab, shape.hidden)?;
        Ok(Kernels {
            layer: sum(&layer, |_| SMALL_S_PER_LAYER),
            ends: sum(&[], |_| 0.0),
            head: sum(&[head], |n| SAMPLER_S + SAMPLER_S_PER_SEQUENCE * n),
            prefill: self.prefill(config, &shape)?,
            decode: self.decode(config, &shape)?,
            mixed: None,
            experts: None,
        })
    }

    /// Seconds of a product by its rows: those of the measured shape that is nearest, by size.
    fn product(&self, dtype: &str, n: f64, k: f64) -> Result<Curve, KernelError> {
        let distance = |row: &&Gemm| (row.n / n).ln().abs() + (row.k / k).ln().abs();
        let of_dtype = || self.gemm.iter().filter(|row| row.gemm_dtype == dtype);
        let nearest = of_dtype().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let nearest = nearest.ok_or_else(|| empty(GEMM, dtype))?;
        let scale = n * k / (nearest.n * nearest.k) * 1e-3;
        let same = of_dtype().filter(|row| (row.n, row.k) == (nearest.n, nearest.k));
        let points = same.map(|row| (row.m, row.latency_ms * scale)).collect();
        Curve::new(points).ok_or_else(|| empty(GEMM, dtype))
    }

    /// Rows of a shape. Of two rows of one place the one that takes longer counts: the compact
    /// tables hold sliding windows too, and do not mark them.
    fn attention<'a>(
        rows: &'a [Attention],
        config: &EngineConfig,
        shape: &Shape,
    ) -> impl Iterator<Item = &'a Attention> {
        let dtype = if config.kv_cache_dtype.bytes() < 2.0 {
            "fp8"
        } else {
            "bfloat16"
        };
        let (heads, kv_heads, head_dim) = (shape.heads, shape.kv_heads, shape.head_dim);
        let mut rows: Vec<&Attention> = rows.iter().collect();
        rows.sort_by(|a, b| b.latency_ms.total_cmp(&a.latency_ms));
        rows.into_iter().filter(move |row| {
            row.kv_cache_dtype == dtype
                && row.num_heads == heads
                && row.num_key_value_heads == kv_heads
                && row.head_dim == head_dim
        })
    }

    /// Whole prompts are measured: a chunk takes of its whole prompt's time what its share of the
    /// pairs of tokens is.
    fn prefill(&self, config: &EngineConfig, shape: &Shape) -> Result<Grid, KernelError> {
        let alone = Self::attention(&self.context, config, shape)
            .filter(|row| row.batch_size == 1.0 && row.step == 0.0);
        let points: Vec<(f64, f64)> = alone.map(|row| (row.isl, row.latency_ms * 1e-3)).collect();
        let lengths: Vec<f64> = points.iter().map(|point| point.0).collect();
        let missing = || empty(CONTEXT, &shape.words());
        let whole = Curve::new(points).ok_or_else(missing)?;
        let launch_s = whole.at(1.0);
        let chunk_s = |q: f64, before: f64| {
            let all = q + before;
            let share = q * (before + q / 2.0) / (all * all / 2.0);
            launch_s + (whole.at(all) - launch_s).max(0.0) * share
        };
        let befores = || std::iter::once(0.0).chain(lengths.iter().copied());
        let places = lengths.iter().flat_map(|q| befores().map(move |s| [*q, s]));
        let points = places.map(|[q, s]| ([q, s], chunk_s(q, s)));
        Grid::new(points.collect()).ok_or_else(missing)
    }

    fn decode(&self, config: &EngineConfig, shape: &Shape) -> Result<Grid, KernelError> {
        let rows = Self::attention(&self.generation, config, shape);
        let points = rows.map(|row| ([row.batch_size, row.step + 1.0], row.latency_ms * 1e-3));
        Grid::new(points.collect()).ok_or_else(|| empty(GENERATION, &shape.words()))
    }
}

/// The part of a model that one rank holds.
struct Shape {
    hidden: f64,
    heads: f64,
    kv_heads: f64,
    head_dim: f64,
    vocab: f64,
    /// Columns and inner size of the products of a layer.
    products: [(f64, f64); 4],
}

impl Shape {
    fn new(model: &Model, ranks: f64) -> Self {
        let hidden = f64::from(model.hidden);
        let heads = f64::from(model.heads) / ranks;
        let kv_heads = (f64::from(model.kv_heads) / ranks).max(1.0);
        let head_dim = f64::from(model.head_dim);
        let ffn = f64::from(model.ffn) / ranks;
        Self {
            hidden,
            heads,
            kv_heads,
            head_dim,
            vocab: f64::from(model.vocab) / ranks,
            products: [
                ((heads + 2.0 * kv_heads) * head_dim, hidden),
                (hidden, heads * head_dim),
                (2.0 * ffn, hidden),
                (hidden, ffn),
            ],
        }
    }

    fn words(&self) -> String {
        format!(
            "{} heads, {} KV heads, head size {}",
            self.heads, self.kv_heads, self.head_dim
        )
    }
}

/// Curves together, and what comes on top of them.
fn sum(curves: &[Curve], more: impl Fn(f64) -> f64) -> Curve {
    let sizes = curves.iter().flat_map(|curve| curve.sizes().to_vec());
    let sizes = sizes.chain([1.0]);
    let total = |size: f64| {
        let measured: f64 = curves.iter().map(|curve| curve.at(size)).sum();
        (size, measured + more(size))
    };
    Curve::new(sizes.map(total).collect()).expect("there is a size")
}
