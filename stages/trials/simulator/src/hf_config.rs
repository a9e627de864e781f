//! Models from the `config.json` of their Hugging Face repository.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{Experts, Latent, Model, WeightsDtype, Window};

/// Why a `config.json` is no model that can be simulated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// It does not read as one.
    #[error("it is no `config.json`: {0}")]
    Malformed(String),
    /// A number is missing.
    #[error("`{0}` is missing, or no whole number above 0")]
    Missing(&'static str),
    /// The model computes something that is not simulated.
    #[error("{0} is not simulated")]
    Unsupported(String),
}

/// Fields of models whose layers are not all attention and a gated feed-forward block.
const OTHER_LAYERS: [(&str, &str); 6] = [
    ("linear_num_key_heads", "linear attention"),
    ("linear_attn_config", "linear attention"),
    ("mamba_d_state", "a state space"),
    ("ssm_state_size", "a state space"),
    ("attention_chunk_size", "attention in chunks"),
    ("num_codebooks", "audio"),
];
/// Types whose feed-forward block has two matrices, not three.
const NOT_GATED: [&str; 10] = [
    "gpt2",
    "gpt_neox",
    "gptj",
    "opt",
    "bloom",
    "falcon",
    "mpt",
    "phi",
    "starcoder2",
    "nemotron",
];
/// Of Gemma 3's layers every sixth attends to everything, where its file does not say.
const GEMMA_3_PATTERN: u32 = 6;

/// The fields that say something of the shape, by the names of all architectures.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    model_type: String,
    num_hidden_layers: Option<u32>,
    hidden_size: Option<u32>,
    num_attention_heads: Option<u32>,
    num_key_value_heads: Option<u32>,
    head_dim: Option<u32>,
    intermediate_size: Option<u32>,
    vocab_size: Option<u32>,
    tie_word_embeddings: Option<bool>,
    max_position_embeddings: Option<u32>,
    quantization_config: Option<Value>,
    sliding_window: Option<u32>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<u32>,
    sliding_window_pattern: Option<u32>,
    layer_types: Option<Vec<String>>,
    num_local_experts: Option<u32>,
    num_experts: Option<u32>,
    n_routed_experts: Option<u32>,
    num_experts_per_tok: Option<u32>,
    experts_per_token: Option<u32>,
    moe_intermediate_size: Option<u32>,
    n_shared_experts: Option<u32>,
    shared_expert_intermediate_size: Option<u32>,
    first_k_dense_replace: Option<u32>,
    kv_lora_rank: Option<u32>,
    q_lora_rank: Option<u32>,
    qk_nope_head_dim: Option<u32>,
    qk_rope_head_dim: Option<u32>,
    v_head_dim: Option<u32>,
}

impl Model {
    /// The model of a repository's `config.json`, under a name of its own.
    ///
    /// # Errors
    /// With what is missing, or what the simulator does not know.
    pub fn from_hf_config(name: &str, text: &str) -> Result<Self, ConfigError> {
        let malformed = |error: serde_json::Error| ConfigError::Malformed(error.to_string());
        let whole: BTreeMap<String, Value> = serde_json::from_str(text).map_err(malformed)?;
        let fields = language(whole);
        let known = |(field, _): &&(&str, &str)| fields.get(*field).is_some_and(|v| !v.is_null());
        if let Some((_, what)) = OTHER_LAYERS.iter().find(known) {
            return Err(ConfigError::Unsupported((*what).to_owned()));
        }
        let fields = Value::Object(fields.into_iter().collect());
        let config: Config = serde_json::from_value(fields).map_err(malformed)?;
        if NOT_GATED.contains(&config.model_type.as_str()) {
            let what = format!("the feed-forward block of `{}`", config.model_type);
            return Err(ConfigError::Unsupported(what));
        }
        config.model(name)
    }
}

/// The language part of a model that sees or hears; what stands outside it counts where the part
/// does not say otherwise.
fn language(mut whole: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    if let Some(Value::Object(text)) = whole.remove("text_config") {
        whole.extend(text);
    }
    whole
}

impl Config {
    fn model(&self, name: &str) -> Result<Model, ConfigError> {
        let layers = needed("num_hidden_layers", self.num_hidden_layers)?;
        let hidden = needed("hidden_size", self.hidden_size)?;
        let heads = needed("num_attention_heads", self.num_attention_heads)?;
        let latent = self.latent()?;
        let (weights_dtype, of_experts) = self.weights()?;
        let experts = self.experts(of_experts)?;
        let ffn = match (&experts, self.moe_intermediate_size) {
            (Some(_), Some(width)) => Some(width),
            (_, _) => self.intermediate_size,
        };
        let head_dim = self.head_dim.unwrap_or(hidden / heads);
        Ok(Model {
            name: name.to_owned(),
            hf_id: name.to_owned(),
            layers,
            hidden,
            heads,
            kv_heads: match latent {
                Some(_) => heads,
                None => self.num_key_value_heads.unwrap_or(heads),
            },
            head_dim: match (latent, self.qk_nope_head_dim) {
                (Some(latent), Some(nope)) => nope + latent.rope_dim,
                (_, _) => head_dim,
            },
            ffn: needed("intermediate_size", ffn)?,
            vocab: needed("vocab_size", self.vocab_size)?,
            tied_embeddings: self.tie_word_embeddings.unwrap_or(self.is_gemma()),
            max_model_len: needed("max_position_embeddings", self.max_position_embeddings)?,
            weights_dtype,
            experts,
            latent,
            window: self.window(layers),
            source: format!("config.json of {name}"),
        })
    }

    fn is_gemma(&self) -> bool {
        self.model_type.starts_with("gemma")
    }

    fn latent(&self) -> Result<Option<Latent>, ConfigError> {
        let Some(kv_rank) = self.kv_lora_rank else {
            return Ok(None);
        };
        needed("qk_nope_head_dim", self.qk_nope_head_dim)?;
        Ok(Some(Latent {
            kv_rank,
            rope_dim: needed("qk_rope_head_dim", self.qk_rope_head_dim)?,
            q_rank: self.q_lora_rank.unwrap_or(0),
            v_dim: needed("v_head_dim", self.v_head_dim)?,
        }))
    }

    fn experts(&self, dtype: Option<WeightsDtype>) -> Result<Option<Experts>, ConfigError> {
        let count = self.num_local_experts.or(self.num_experts);
        let count = count.or(self.n_routed_experts);
        let Some(count) = count.filter(|count| *count > 1) else {
            return Ok(None);
        };
        let active = self.num_experts_per_tok.or(self.experts_per_token);
        let width = self.moe_intermediate_size.unwrap_or(0);
        let shared = self.n_shared_experts.map(|n| n * width);
        Ok(Some(Experts {
            count,
            active: needed("num_experts_per_tok", active)?,
            shared_ffn: shared.or(self.shared_expert_intermediate_size).unwrap_or(0),
            dense_layers: self.first_k_dense_replace.unwrap_or(0),
            dense_ffn: match self.first_k_dense_replace {
                None | Some(0) => 0,
                Some(_) => needed("intermediate_size", self.intermediate_size)?,
            },
            weights_dtype: dtype,
        }))
    }

    fn window(&self, layers: u32) -> Option<Window> {
        let tokens = self.sliding_window?;
        if self.use_sliding_window == Some(false) {
            return None;
        }
        let pattern = self.sliding_window_pattern;
        let pattern = pattern.or(self.is_gemma().then_some(GEMMA_3_PATTERN));
        let windowed = match (&self.layer_types, pattern) {
            (Some(types), _) => types
                .iter()
                .filter(|kind| *kind == "sliding_attention")
                .count() as u32,
            (None, Some(pattern)) => layers - layers / pattern.max(1),
            (None, None) => match self.use_sliding_window {
                Some(_) => layers.saturating_sub(self.max_window_layers.unwrap_or(0)),
                None => layers,
            },
        };
        (windowed > 0).then_some(Window {
            tokens,
            layers: windowed,
        })
    }

    /// Data types of the layers' weights, and of the experts' where they are others.
    fn weights(&self) -> Result<(WeightsDtype, Option<WeightsDtype>), ConfigError> {
        let Some(config) = &self.quantization_config else {
            return Ok((WeightsDtype::Bfloat16, None));
        };
        let text = |field: &str| config[field].as_str().unwrap_or_default().to_lowercase();
        let method = text("quant_method");
        let dtype = match method.as_str() {
            // Only the experts are quantised.
            "mxfp4" => return Ok((WeightsDtype::Bfloat16, Some(WeightsDtype::Mxfp4))),
            "fp8" if config["weight_block_size"].is_array() => Some(WeightsDtype::Fp8Block),
            "fp8" | "fbgemm_fp8" => Some(WeightsDtype::Fp8),
            "awq" | "gptq" => of_integers(config["bits"].as_u64()),
            "modelopt" => WeightsDtype::called(&text("quant_algo")),
            "compressed-tensors" => compressed(config),
            _ => None,
        };
        let unknown = || ConfigError::Unsupported(format!("quantisation `{method}` of this form"));
        Ok((dtype.ok_or_else(unknown)?, None))
    }
}

/// The first group of a checkpoint in the compressed-tensors format.
fn compressed(config: &Value) -> Option<WeightsDtype> {
    let weights = &config["config_groups"].as_object()?.values().next()?["weights"];
    let bits = weights["num_bits"].as_u64();
    match (weights["type"].as_str()?, bits?) {
        ("float", 8) if weights["strategy"] == "block" => Some(WeightsDtype::Fp8Block),
        ("float", 8) => Some(WeightsDtype::Fp8),
        ("float", 4) => Some(WeightsDtype::Nvfp4),
        ("int", _) => of_integers(bits),
        _ => None,
    }
}

fn of_integers(bits: Option<u64>) -> Option<WeightsDtype> {
    match bits? {
        4 => Some(WeightsDtype::Int4),
        8 => Some(WeightsDtype::Int8),
        _ => None,
    }
}

fn needed(field: &'static str, number: Option<u32>) -> Result<u32, ConfigError> {
    number.filter(|n| *n > 0).ok_or(ConfigError::Missing(field))
}

#[cfg(test)]
mod tests;
