use super::*;

/// Parameters, embeddings and routers included.
fn params(model: &Model) -> f64 {
    let size = |products: Vec<ProductShape>| products.iter().map(|(n, k)| n * k).sum::<f64>();
    let attention = f64::from(model.layers) * size(model.attention_products(1.0));
    let blocks = model.dense_blocks().into_iter();
    let dense: f64 = blocks
        .map(|(layers, width)| layers * size(model.ffn_products(width)))
        .sum();
    let experts = model.experts.map_or(0.0, |experts| {
        let count = f64::from(experts.count);
        let router = f64::from(model.hidden) * count;
        model.mixture_layers() * (count * model.ffn_params(f64::from(model.ffn)) + router)
    });
    let matrices = if model.tied_embeddings { 1.0 } else { 2.0 };
    attention + dense + experts + matrices * model.vocab_params()
}

#[test]
fn catalogue_parses_and_says_where_its_numbers_are_from() {
    let mut models = Model::names().map(|name| Model::named(name).unwrap());
    assert!(models.all(|model| !model.source.is_empty() && !model.hf_id.is_empty()));
}

/// Billions of parameters as the model cards have them (of DeepSeek-V3 without the module for
/// several tokens at once, of Gemma 3 without the vision tower).
#[test]
fn parameters_are_the_published_ones() {
    for (name, billions) in [
        ("qwen2.5-0.5b", 0.49),
        ("qwen2.5-1.5b", 1.54),
        ("qwen2.5-3b", 3.09),
        ("qwen2.5-7b", 7.61),
        ("qwen2.5-14b", 14.7),
        ("qwen2.5-32b", 32.5),
        ("qwen2.5-72b", 72.7),
        ("qwen3-0.6b", 0.6),
        ("qwen3-1.7b", 1.72),
        ("qwen3-4b", 4.0),
        ("qwen3-8b", 8.2),
        ("qwen3-14b", 14.8),
        ("qwen3-32b", 32.8),
        ("qwen3-30b-a3b", 30.5),
        ("qwen3-235b-a22b", 235.0),
        ("qwen3-coder-480b-a35b", 480.0),
        ("llama-3.2-1b", 1.24),
        ("llama-3.2-3b", 3.21),
        ("llama-3.1-8b", 8.03),
        ("llama-3.1-70b", 70.6),
        ("llama-3.1-405b", 405.9),
        ("mistral-7b", 7.25),
        ("mistral-small-24b", 23.6),
        ("mixtral-8x7b", 46.7),
        ("mixtral-8x22b", 140.6),
        ("phi-4", 14.7),
        ("gemma-3-1b", 1.0),
        ("gemma-3-4b", 3.88),
        ("gemma-3-12b", 11.8),
        ("gemma-3-27b", 27.0),
        ("gpt-oss-20b", 20.9),
        ("gpt-oss-120b", 116.8),
        ("deepseek-v3", 671.0),
        ("deepseek-v2-lite", 15.7),
        ("kimi-k2", 1026.0),
        ("glm-4.5-air", 106.0),
        ("glm-4.5", 355.0),
        ("minimax-m2", 229.0),
    ] {
        let ours = params(Model::named(name).unwrap()) / 1e9;
        assert!((ours / billions - 1.0).abs() < 0.015, "{name}: {ours}");
    }
}

/// Bytes per token in bf16, all layers.
#[test]
fn kv_bytes_are_the_published_ones() {
    for (name, bytes) in [
        ("qwen2.5-0.5b", 12_288.0),
        ("qwen2.5-7b", 57_344.0),
        ("qwen3-32b", 262_144.0),
        ("qwen3-235b-a22b", 192_512.0),
        ("llama-3.1-8b", 131_072.0),
        ("llama-3.1-70b", 327_680.0),
        ("mixtral-8x7b", 131_072.0),
        ("gpt-oss-120b", 73_728.0),
        ("deepseek-v3", 70_272.0),
    ] {
        let model = Model::named(name).unwrap();
        let ours = 2.0 * f64::from(model.layers) * model.kv_elements(1.0);
        assert_eq!(ours, bytes, "{name}");
    }
}

#[test]
fn latent_is_whole_on_every_rank_and_heads_are_not() {
    let elements = |name, ranks| Model::named(name).unwrap().kv_elements(ranks);
    assert_eq!(elements("deepseek-v3", 8.0), elements("deepseek-v3", 1.0));
    assert_eq!(
        8.0 * elements("llama-3.1-8b", 8.0),
        elements("llama-3.1-8b", 1.0)
    );
    assert_eq!(elements("qwen2.5-7b", 8.0), elements("qwen2.5-7b", 4.0));
}

#[test]
fn window_holds_less_of_a_longer_sequence() {
    let model = Model::named("gpt-oss-120b").unwrap();
    assert_eq!(model.layers_holding(128.0), 36.0);
    assert_eq!(model.layers_holding(1280.0), 18.0 + 1.8);
}
