use sbt_simulator::{EngineConfig, VllmVersion};
use serde_json::{Map, Value};

use super::RunError;

/// Where `meta.json` says a knob, the most reliable place first: what the server resolved, then
/// what it was given.
const PLACES: &[(&str, &[&str])] = &[
    (
        "max_num_seqs",
        &[
            "/resolved_config/scheduler_config/max_num_seqs",
            "/engine_kwargs/max_num_seqs",
        ],
    ),
    (
        "max_num_batched_tokens",
        &[
            "/resolved_config/scheduler_config/max_num_batched_tokens",
            "/engine_kwargs/max_num_batched_tokens",
        ],
    ),
    (
        "max_model_len",
        &[
            "/resolved_config/model_config/max_model_len",
            "/engine_kwargs/max_model_len",
        ],
    ),
    (
        "long_prefill_token_threshold",
        &[
            "/resolved_config/scheduler_config/long_prefill_token_threshold",
            "/engine_kwargs/long_prefill_token_threshold",
        ],
    ),
    (
        "enable_chunked_prefill",
        &[
            "/resolved_config/scheduler_config/enable_chunked_prefill",
            "/engine_kwargs/enable_chunked_prefill",
        ],
    ),
    (
        "scheduler_reserve_full_isl",
        &[
            "/resolved_config/scheduler_config/scheduler_reserve_full_isl",
            "/engine_kwargs/scheduler_reserve_full_isl",
        ],
    ),
    (
        "async_scheduling",
        &[
            "/resolved_config/scheduler_config/async_scheduling",
            "/engine_kwargs/async_scheduling",
        ],
    ),
    (
        "enforce_eager",
        &[
            "/resolved_config/model_config/enforce_eager",
            "/engine_kwargs/enforce_eager",
        ],
    ),
    (
        "max_cudagraph_capture_size",
        &["/resolved_config/compilation_config/max_cudagraph_capture_size"],
    ),
    (
        "block_size",
        &[
            "/kv_cache/block_size",
            "/resolved_config/cache_config/block_size",
            "/engine_kwargs/block_size",
        ],
    ),
    (
        "enable_prefix_caching",
        &[
            "/kv_cache/enable_prefix_caching",
            "/resolved_config/cache_config/enable_prefix_caching",
            "/engine_kwargs/enable_prefix_caching",
        ],
    ),
    (
        "gpu_memory_utilization",
        &[
            "/kv_cache/gpu_memory_utilization",
            "/resolved_config/cache_config/gpu_memory_utilization",
            "/engine_kwargs/gpu_memory_utilization",
        ],
    ),
    (
        "num_gpu_blocks_override",
        &[
            "/kv_cache/num_gpu_blocks",
            "/resolved_config/cache_config/num_gpu_blocks",
            "/engine_kwargs/num_gpu_blocks_override",
        ],
    ),
    ("kv_cache_dtype", &["/engine_kwargs/kv_cache_dtype"]),
    ("quantization", &["/engine_kwargs/quantization"]),
    (
        "tensor_parallel_size",
        &[
            "/resolved_config/parallel_config/tensor_parallel_size",
            "/engine_kwargs/tensor_parallel_size",
        ],
    ),
    (
        "data_parallel_size",
        &[
            "/resolved_config/parallel_config/data_parallel_size",
            "/engine_kwargs/data_parallel_size",
        ],
    ),
    (
        "enable_expert_parallel",
        &[
            "/resolved_config/parallel_config/enable_expert_parallel",
            "/engine_kwargs/enable_expert_parallel",
        ],
    ),
];

/// The server's configuration as the run says it; vLLM's defaults where it does not.
pub(super) fn engine_config(meta: &Value) -> Result<EngineConfig, RunError> {
    if !meta["engine_kwargs"].is_object() {
        let expected = "expected the engine's arguments under `engine_kwargs`";
        return Err(RunError::Meta(expected.to_owned()));
    }
    let mut knobs = Map::new();
    for (knob, places) in PLACES {
        let said = places
            .iter()
            .filter_map(|place| Some((place, meta.pointer(place)?)));
        let Some((place, value)) = said.clone().find(|(_, value)| !value.is_null()) else {
            continue;
        };
        let alone = Value::from_iter([(*knob, value.clone())]);
        serde_json::from_value::<EngineConfig>(alone).map_err(|error| {
            RunError::Meta(format!(
                "the simulator does not take {value} at {place}: {error}"
            ))
        })?;
        knobs.insert((*knob).to_owned(), value.clone());
    }
    let config: EngineConfig = serde_json::from_value(Value::Object(knobs))
        .map_err(|error| RunError::Meta(error.to_string()))?;
    sized(EngineConfig {
        version: version(meta).unwrap_or(config.version),
        ..config
    })
}

fn sized(config: EngineConfig) -> Result<EngineConfig, RunError> {
    let engines = config.data_parallel_size;
    if config.tensor_parallel_size == 0 || engines == 0 {
        let problem = "tensor_parallel_size and data_parallel_size must be 1 or more";
        return Err(RunError::Meta(problem.to_owned()));
    }
    Ok(EngineConfig {
        // vLLM's front end tells the sum over its engines (`core_client.py`).
        num_gpu_blocks_override: config
            .num_gpu_blocks_override
            .map(|blocks| blocks / engines),
        ..config
    })
}

/// None: the run does not say it.
fn version(meta: &Value) -> Option<VllmVersion> {
    let mut numbers = meta["vllm_version"].as_str()?.split('.');
    let mut number = || numbers.next()?.parse::<u32>().ok();
    match (number()?, number()?) {
        (0, minor) => Some(VllmVersion::of_minor(minor)),
        _ => None,
    }
}
