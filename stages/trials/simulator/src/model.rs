use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalogue;

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
    /// Key and value heads.
    pub kv_heads: u32,
    /// Size of one head.
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
    /// Where the numbers are from.
    #[serde(default)]
    pub source: String,
}

/// Data type of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WeightsDtype {
    /// 2 bytes.
    #[default]
    Bfloat16,
    /// 1 byte, with fp8 products where the GPU has them.
    Fp8,
}

/// Experts of a mixture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// Experts per layer.
    pub count: u32,
    /// Experts that each token visits.
    pub active: u32,
}

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

    /// Parameters of attention's projections in one layer.
    pub(crate) fn attention_params(&self) -> f64 {
        let (h, d) = (f64::from(self.hidden), f64::from(self.head_dim));
        let (q, kv) = (f64::from(self.heads), f64::from(self.kv_heads));
        h * (q + 2.0 * kv) * d + q * d * h
    }

    /// Parameters of one feed-forward block (of one expert) in one layer.
    pub(crate) fn ffn_params(&self) -> f64 {
        3.0 * f64::from(self.hidden) * f64::from(self.ffn)
    }

    /// Parameters of one vocabulary matrix.
    pub(crate) fn vocab_params(&self) -> f64 {
        f64::from(self.vocab) * f64::from(self.hidden)
    }

    /// Parameters of all layers, all experts included.
    pub(crate) fn layer_params(&self) -> f64 {
        let blocks = self.experts.map_or(1.0, |experts| f64::from(experts.count));
        f64::from(self.layers) * (self.attention_params() + blocks * self.ffn_params())
    }

    /// Elements of the KV cache per token, all layers.
    pub(crate) fn kv_elements_per_token(&self) -> f64 {
        2.0 * f64::from(self.kv_heads) * f64::from(self.head_dim) * f64::from(self.layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogue_parses_and_says_where_its_numbers_are_from() {
        assert_eq!(Model::names().count(), 7);
        let mut models = Model::names().map(|name| Model::named(name).unwrap());
        assert!(models.all(|model| !model.source.is_empty() && !model.hf_id.is_empty()));
    }

    #[test]
    fn parameters_and_kv_bytes_are_the_published_ones() {
        let model = Model::named("llama-3.1-8b").unwrap();
        let params = model.layer_params() + 2.0 * model.vocab_params();
        assert!((params / 8.03e9 - 1.0).abs() < 0.001, "{params}");
        for (name, bytes) in [
            ("qwen2.5-0.5b", 12_288.0),
            ("qwen2.5-7b", 57_344.0),
            ("qwen3-32b", 262_144.0),
            ("llama-3.1-8b", 131_072.0),
            ("llama-3.1-70b", 327_680.0),
            ("mixtral-8x7b", 131_072.0),
        ] {
            assert_eq!(
                2.0 * Model::named(name).unwrap().kv_elements_per_token(),
                bytes,
                "{name}"
            );
        }
    }
}
