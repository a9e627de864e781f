use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{WeightsDtype, catalogue};

pub(crate) const DATA: &str = include_str!("../data/models.toml");
static MODELS: LazyLock<BTreeMap<String, Model>> =
    LazyLock::new(|| catalogue::read(DATA, |model: &mut Model| &mut model.name));

/// Shape of a decoder-only transformer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name in reports; in the catalogue, the entry's own.
    #[serde(default)]
    pub name: String,
    /// Repository on Hugging Face, as servers are given it.
    pub hf_id: String,
    /// Layers.
    pub layers: u32,
    /// Hidden size.
    pub hidden: u32,
    /// Query heads.
    pub heads: u32,
    /// Key and value heads; with latent attention as many as query heads.
    pub kv_heads: u32,
    /// Size of one head; with latent attention that of a query, rotary part included.
    pub head_dim: u32,
    /// Width of the feed-forward block; of one expert where there are experts.
    pub ffn: u32,
    /// Vocabulary.
    pub vocab: u32,
    /// Whether input and output embeddings are one matrix.
    #[serde(default)]
    pub tied_embeddings: bool,
    /// Longest sequence.
    pub max_model_len: u32,
    /// Data type of the layers' weights in the checkpoint; embeddings are bf16 either way.
    #[serde(default)]
    pub weights_dtype: WeightsDtype,
    /// Experts, in a mixture.
    #[serde(default)]
    pub experts: Option<Experts>,
    /// Multi-head latent attention, instead of keys and values of each head.
    #[serde(default)]
    pub latent: Option<Latent>,
    /// Layers that attend to the last tokens only.
    #[serde(default)]
    pub window: Option<Window>,
    /// Where the numbers are from.
    #[serde(default)]
    pub source: String,
}

/// Experts of a mixture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// Experts per layer.
    pub count: u32,
    /// Experts that each token visits.
    pub active: u32,
    /// Width of the block that every token visits besides.
    #[serde(default)]
    pub shared_ffn: u32,
    /// First layers, which have one block instead of experts.
    #[serde(default)]
    pub dense_layers: u32,
    /// Width of that block.
    #[serde(default)]
    pub dense_ffn: u32,
    /// Data type of the experts' weights, where it is another than that of the layers.
    #[serde(default)]
    pub weights_dtype: Option<WeightsDtype>,
}

/// Multi-head latent attention: the cache holds one compressed vector per token, not split over
/// tensor-parallel ranks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latent {
    /// Compressed keys and values (`kv_lora_rank`).
    pub kv_rank: u32,
    /// Rotary part of a key, shared by the heads (`qk_rope_head_dim`).
    pub rope_dim: u32,
    /// Compressed queries (`q_lora_rank`); 0: queries are not compressed.
    #[serde(default)]
    pub q_rank: u32,
    /// Size of one value (`v_head_dim`).
    pub v_dim: u32,
}

/// Sliding-window attention.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Tokens that such a layer attends to.
    pub tokens: u32,
    /// Layers of this kind.
    pub layers: u32,
}

/// Columns and inner size of a matrix product on one rank.
pub(crate) type ProductShape = (f64, f64);

impl Model {
    /// A model of the catalogue.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        MODELS.get(name)
    }

    /// Every model of the catalogue.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MODELS.keys().map(String::as_str)
    }

    /// Products of attention in one layer; those of a latent are whole on every rank.
    pub(crate) fn attention_products(&self, ranks: f64) -> Vec<ProductShape> {
        let (h, d) = (f64::from(self.hidden), f64::from(self.head_dim));
        let heads = f64::from(self.heads) / ranks;
        let Some(latent) = self.latent else {
            // KV heads are copied where there are fewer than ranks.
            let kv_heads = (f64::from(self.kv_heads) / ranks).max(1.0);
            return vec![((heads + 2.0 * kv_heads) * d, h), (h, heads * d)];
        };
        let (kv, rope) = (f64::from(latent.kv_rank), f64::from(latent.rope_dim));
        let v = f64::from(latent.v_dim);
        let queries = match f64::from(latent.q_rank) {
            0.0 => vec![(heads * d, h), (kv + rope, h)],
            q => vec![(q + kv + rope, h), (heads * d, q)],
        };
        let rest = [(heads * (d - rope + v), kv), (h, heads * v)];
        queries.into_iter().chain(rest).collect()
    }

    /// Products of a feed-forward block of a width.
    pub(crate) fn ffn_products(&self, width: f64) -> Vec<ProductShape> {
        let h = f64::from(self.hidden);
        if width == 0.0 {
            Vec::new()
        } else {
            vec![(2.0 * width, h), (h, width)]
        }
    }

    /// Parameters of one feed-forward block of a width.
    pub(crate) fn ffn_params(&self, width: f64) -> f64 {
        3.0 * f64::from(self.hidden) * width
    }

    /// Parameters of one vocabulary matrix.
    pub(crate) fn vocab_params(&self) -> f64 {
        f64::from(self.vocab) * f64::from(self.hidden)
    }

    /// Layers with one block, and its width; with the shared expert where there are experts.
    pub(crate) fn dense_blocks(&self) -> Vec<(f64, f64)> {
        let layers = f64::from(self.layers);
        match self.experts {
            None => vec![(layers, f64::from(self.ffn))],
            Some(experts) => vec![
                (
                    f64::from(experts.dense_layers),
                    f64::from(experts.dense_ffn),
                ),
                (self.mixture_layers(), f64::from(experts.shared_ffn)),
            ],
        }
    }

    /// Layers with experts.
    pub(crate) fn mixture_layers(&self) -> f64 {
        self.experts.map_or(0.0, |e| {
            f64::from(self.layers.saturating_sub(e.dense_layers))
        })
    }

    /// Layers whose attention goes back to the first token.
    pub(crate) fn full_layers(&self) -> f64 {
        f64::from(self.layers) - self.window.map_or(0.0, |window| f64::from(window.layers))
    }

    /// Elements of the KV cache per token in one layer of one rank.
    pub(crate) fn kv_elements(&self, ranks: f64) -> f64 {
        match self.latent {
            Some(latent) => f64::from(latent.kv_rank) + f64::from(latent.rope_dim),
            None => {
                let heads = (f64::from(self.kv_heads) / ranks).max(1.0);
                2.0 * heads * f64::from(self.head_dim)
            }
        }
    }

    /// Layers that hold a token of a sequence of `len` tokens, on average over the sequence:
    /// a sliding window holds its last tokens only.
    pub(crate) fn layers_holding(&self, len: f64) -> f64 {
        let windowed = self.window.map_or(0.0, |window| {
            f64::from(window.layers) * (f64::from(window.tokens) / len).min(1.0)
        });
        self.full_layers() + windowed
    }
}

#[cfg(test)]
mod tests;
