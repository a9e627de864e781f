use serde_json::json;

use super::*;

/// The catalogue's shape under what a file cannot say: its name.
fn same_as(name: &str, config: &Value) {
    let known = Model::named(name).unwrap().clone();
    let read = Model::from_hf_config("x/y", &config.to_string()).unwrap();
    let expected = Model {
        name: read.name.clone(),
        hf_id: read.hf_id.clone(),
        source: read.source.clone(),
        ..known
    };
    assert_eq!(read, expected);
}

#[test]
fn dense_model_is_the_one_of_the_catalogue() {
    same_as(
        "llama-3.1-8b",
        &json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
            "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32,
            "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 128_256,
            "max_position_embeddings": 131_072, "tie_word_embeddings": false,
        }),
    );
    same_as(
        "qwen2.5-0.5b",
        &json!({
            "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
            "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
            "vocab_size": 151_936, "max_position_embeddings": 32_768, "tie_word_embeddings": true,
            "sliding_window": 32_768, "use_sliding_window": false, "max_window_layers": 21,
        }),
    );
}

#[test]
fn windows_experts_and_latents_are_those_of_the_catalogue() {
    same_as(
        "gemma-3-27b",
        &json!({
            "model_type": "gemma3", "text_config": {
                "model_type": "gemma3_text", "head_dim": 128, "hidden_size": 5376,
                "intermediate_size": 21504, "num_attention_heads": 32, "num_hidden_layers": 62,
                "num_key_value_heads": 16, "sliding_window": 1024, "vocab_size": 262_208,
                "max_position_embeddings": 131_072,
            },
        }),
    );
    let types = ["sliding_attention", "full_attention"].repeat(18);
    same_as(
        "gpt-oss-120b",
        &json!({
            "model_type": "gpt_oss", "head_dim": 64, "hidden_size": 2880, "intermediate_size": 2880,
            "layer_types": types, "num_attention_heads": 64, "num_experts_per_tok": 4,
            "experts_per_token": null, "num_hidden_layers": 36, "num_key_value_heads": 8,
            "num_local_experts": 128, "sliding_window": 128, "vocab_size": 201_088,
            "max_position_embeddings": 131_072, "tie_word_embeddings": false,
            "quantization_config": { "quant_method": "mxfp4" },
        }),
    );
    same_as(
        "deepseek-v3",
        &json!({
            "model_type": "deepseek_v3", "first_k_dense_replace": 3, "hidden_size": 7168,
            "intermediate_size": 18432, "kv_lora_rank": 512, "moe_intermediate_size": 2048,
            "n_routed_experts": 256, "n_shared_experts": 1, "num_attention_heads": 128,
            "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128,
            "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
            "vocab_size": 129_280, "max_position_embeddings": 163_840,
            "quantization_config": { "quant_method": "fp8", "weight_block_size": [128, 128] },
        }),
    );
}

#[test]
fn quantisation_is_read_in_every_form() {
    let of = |config: Value| {
        let model = json!({
            "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4,
            "num_hidden_layers": 2, "vocab_size": 100, "max_position_embeddings": 100,
            "quantization_config": config,
        });
        let model = Model::from_hf_config("x", &model.to_string());
        model.map(|model| model.weights_dtype)
    };
    let group = |kind: &str, bits: u32| {
        let weights = json!({ "type": kind, "num_bits": bits, "strategy": "channel" });
        json!({ "quant_method": "compressed-tensors", "config_groups": { "group_0": { "weights": weights } } })
    };
    for (config, dtype) in [
        (
            json!({ "quant_method": "awq", "bits": 4 }),
            WeightsDtype::Int4,
        ),
        (
            json!({ "quant_method": "gptq", "bits": 8 }),
            WeightsDtype::Int8,
        ),
        (
            json!({ "quant_method": "modelopt", "quant_algo": "NVFP4" }),
            WeightsDtype::Nvfp4,
        ),
        (group("float", 8), WeightsDtype::Fp8),
        (group("int", 4), WeightsDtype::Int4),
    ] {
        assert_eq!(of(config.clone()), Ok(dtype), "{config}");
    }
    let unknown = of(json!({ "quant_method": "bitsandbytes" })).unwrap_err();
    assert!(unknown.to_string().contains("`bitsandbytes`"));
}

#[test]
fn what_is_no_such_model_says_why() {
    for (text, part) in [
        ("nonsense", "no `config.json`"),
        ("[]", "no `config.json`"),
        ("{}", "`num_hidden_layers` is missing"),
        (r#"{"num_hidden_layers": 0}"#, "`num_hidden_layers`"),
        (r#"{"num_hidden_layers": -1}"#, "no `config.json`"),
        (r#"{"model_type": "gpt2"}"#, "`gpt2` is not simulated"),
        (
            r#"{"mamba_d_state": 128}"#,
            "a state space is not simulated",
        ),
    ] {
        let error = Model::from_hf_config("x", text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
