use crate::{EngineConfig, Gpu, LaunchFailure, Model, WeightsDtype};

/// Refuses what vLLM refuses before it loads a model.
pub(crate) fn check(
    config: &EngineConfig,
    model: &Model,
    gpu: &Gpu,
    gpus: u32,
) -> Result<(), LaunchFailure> {
    let checks = [
        parallelism(config, model, gpus),
        quantization(config, model),
        memory(config),
        lengths(config, model, gpu),
        speculation(config),
        intervals(config),
    ];
    match checks.into_iter().flatten().next() {
        Some(refusal) => Err(LaunchFailure::Invalid(refusal)),
        None => Ok(()),
    }
}

fn parallelism(config: &EngineConfig, model: &Model, gpus: u32) -> Option<String> {
    let tp = config.tensor_parallel_size;
    let stages = config.pipeline_parallel_size;
    let engines = config.data_parallel_size;
    let (heads, kv_heads) = (model.heads, model.kv_heads);
    if tp == 0 || tp > gpus {
        return Some(format!(
            "tensor_parallel_size {tp} must be at least 1 and at most the {gpus} GPUs"
        ));
    }
    let most_stages = (gpus / tp).min(model.layers);
    if stages == 0 || stages > most_stages {
        return Some(format!(
            "pipeline_parallel_size {stages} must be at least 1, and with tensor_parallel_size \
             {tp} and {} layers at most {most_stages} on {gpus} GPUs",
            model.layers
        ));
    }
    let most = gpus / tp / stages;
    if engines == 0 || engines > most {
        return Some(format!(
            "data_parallel_size {engines} must be at least 1, and with tensor_parallel_size {tp} \
             and pipeline_parallel_size {stages} at most {most} on {gpus} GPUs"
        ));
    }
    if !heads.is_multiple_of(tp) {
        return Some(format!(
            "tensor_parallel_size {tp} must divide the {heads} attention heads"
        ));
    }
    (!kv_heads.is_multiple_of(tp) && !tp.is_multiple_of(kv_heads)).then(|| {
        format!("tensor_parallel_size {tp} and the {kv_heads} KV heads must divide one another")
    })
}

/// A quantised checkpoint runs with its own method only.
fn quantization(config: &EngineConfig, model: &Model) -> Option<String> {
    use WeightsDtype::{Bfloat16, Fp8, Fp8Block};
    let asked = config.quantization.weights()?;
    let of_experts = model.experts.and_then(|experts| experts.weights_dtype);
    let checkpoint = of_experts.unwrap_or(model.weights_dtype);
    let fits = asked == checkpoint || (asked == Fp8 && checkpoint == Fp8Block);
    (checkpoint != Bfloat16 && !fits).then(|| {
        format!(
            "quantization to {} does not fit the checkpoint, whose weights are {}",
            asked.name(),
            checkpoint.name()
        )
    })
}

fn memory(config: &EngineConfig) -> Option<String> {
    let utilization = config.resolved_gpu_memory_utilization();
    if !(utilization > 0.0 && utilization <= 1.0) {
        return Some(format!(
            "gpu_memory_utilization {utilization} is not in (0, 1]"
        ));
    }
    let watermark = config.watermark;
    if !(0.0..1.0).contains(&watermark) {
        return Some(format!("watermark {watermark} is not in [0, 1)"));
    }
    let size = config.block_size;
    (size == 0 || !size.is_multiple_of(16))
        .then(|| format!("block_size {size} is not a multiple of 16"))
}

fn speculation(config: &EngineConfig) -> Option<String> {
    /// More than any drafter is asked for; keeps sums of tokens small.
    const MOST: u32 = 128;
    let drafts = config.num_speculative_tokens;
    let acceptance = &config.speculative_acceptance;
    if drafts > MOST {
        return Some(format!(
            "num_speculative_tokens {drafts} is more than {MOST}"
        ));
    }
    if drafts > 0 && acceptance.is_empty() {
        return Some(format!(
            "num_speculative_tokens {drafts} needs speculative_acceptance: how likely the \
             workload's drafts are accepted"
        ));
    }
    let bad = acceptance.iter().find(|p| !(0.0..=1.0).contains(*p))?;
    Some(format!("speculative_acceptance {bad} is not in [0, 1]"))
}

fn intervals(config: &EngineConfig) -> Option<String> {
    let intervals = [
        ("stream_interval", config.stream_interval),
        (
            "prefill_schedule_interval",
            config.prefill_schedule_interval,
        ),
    ];
    let (name, _) = intervals.into_iter().find(|(_, steps)| *steps == 0)?;
    Some(format!("{name} 0 is not 1 or more"))
}

fn lengths(config: &EngineConfig, model: &Model, gpu: &Gpu) -> Option<String> {
    let len = config.resolved_max_model_len(model);
    let most = model.max_model_len;
    let seqs = config.resolved_max_num_seqs(gpu);
    let budget = config.resolved_max_num_batched_tokens(model, gpu);
    let threshold = config.long_prefill_token_threshold;
    if len == 0 || len > most {
        return Some(format!(
            "max_model_len {len} is not within 1 and the model's {most}"
        ));
    }
    if seqs == 0 || budget < seqs {
        return Some(format!(
            "max_num_batched_tokens ({budget}) must be at least max_num_seqs ({seqs})"
        ));
    }
    if !config.enable_chunked_prefill && budget < len {
        return Some(format!(
            "max_num_batched_tokens ({budget}) is less than max_model_len ({len}), which needs \
             chunked prefill"
        ));
    }
    (threshold > len).then(|| {
        format!("long_prefill_token_threshold ({threshold}) exceeds max_model_len ({len})")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(config: &EngineConfig) -> String {
        let model = Model::named("qwen2.5-0.5b").unwrap();
        let gpu = Gpu::named("h100-sxm").unwrap();
        check(config, model, gpu, 8).unwrap_err().to_string()
    }

    #[test]
    fn every_rule_names_its_knob() {
        let default = EngineConfig::default;
        let broken = [
            (
                "tensor_parallel_size",
                EngineConfig {
                    tensor_parallel_size: 16,
                    ..default()
                },
            ),
            (
                "pipeline_parallel_size",
                EngineConfig {
                    pipeline_parallel_size: 9,
                    ..default()
                },
            ),
            (
                "attention heads",
                EngineConfig {
                    tensor_parallel_size: 4,
                    ..default()
                },
            ),
            (
                "KV heads",
                EngineConfig {
                    tensor_parallel_size: 7,
                    ..default()
                },
            ),
            (
                "gpu_memory_utilization",
                EngineConfig {
                    gpu_memory_utilization: Some(f64::NAN),
                    ..default()
                },
            ),
            (
                "watermark",
                EngineConfig {
                    watermark: 1.0,
                    ..default()
                },
            ),
            (
                "block_size",
                EngineConfig {
                    block_size: 24,
                    ..default()
                },
            ),
            (
                "max_model_len",
                EngineConfig {
                    max_model_len: Some(1 << 20),
                    ..default()
                },
            ),
            (
                "max_num_batched_tokens",
                EngineConfig {
                    max_num_batched_tokens: Some(512),
                    ..default()
                },
            ),
            (
                "chunked prefill",
                EngineConfig {
                    enable_chunked_prefill: false,
                    max_num_batched_tokens: Some(2048),
                    ..default()
                },
            ),
            (
                "long_prefill_token_threshold",
                EngineConfig {
                    long_prefill_token_threshold: 1 << 20,
                    ..default()
                },
            ),
            (
                "num_speculative_tokens",
                EngineConfig {
                    num_speculative_tokens: 2,
                    ..default()
                },
            ),
            (
                "stream_interval",
                EngineConfig {
                    stream_interval: 0,
                    ..default()
                },
            ),
            (
                "prefill_schedule_interval",
                EngineConfig {
                    prefill_schedule_interval: 0,
                    ..default()
                },
            ),
            (
                "speculative_acceptance",
                EngineConfig {
                    speculative_acceptance: vec![0.5, f64::NAN],
                    ..default()
                },
            ),
        ];
        for (part, config) in broken {
            let message = refusal(&config);
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn defaults_are_not_refused() {
        for model in Model::names().map(|name| Model::named(name).unwrap()) {
            for gpu in Gpu::names().map(|name| Gpu::named(name).unwrap()) {
                assert_eq!(check(&EngineConfig::default(), model, gpu, 1), Ok(()));
            }
        }
    }
}
