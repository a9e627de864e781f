use sbt_simulator::{Gpu, Model, WeightsDtype};
use sbt_trials::{CatalogueEntry, Catalogued};
use serde_json::Value;

use super::RunError;

/// The model of a run: what is given, or what `meta.json` names.
pub(super) fn model_of(
    meta: &Value,
    given: Option<&CatalogueEntry<Model>>,
) -> Result<Model, RunError> {
    let unknown = |problem| RunError::Unknown {
        what: "model",
        problem,
        shape: "shape",
    };
    if let Some(given) = given {
        return given.resolve().map_err(unknown);
    }
    let name = meta["model"]
        .as_str()
        .or(meta["engine_kwargs"]["model"].as_str());
    let name =
        name.ok_or_else(|| RunError::Meta("expected the model's name under `model`".to_owned()))?;
    let known = Model::called(name).cloned();
    let mut model = known.ok_or_else(|| unknown(not_known::<Model>(name)))?;
    if model.weights_dtype == WeightsDtype::Bfloat16 {
        // A repository's name says what it was quantised to.
        model.weights_dtype = WeightsDtype::called(name).unwrap_or_default();
    }
    Ok(model)
}

/// The GPU of a run: what is given, or what the files name. Memory is what the device says, the
/// link between GPUs what `config.json` says.
pub(super) fn gpu_of(
    meta: &Value,
    config: &Value,
    given: Option<&CatalogueEntry<Gpu>>,
) -> Result<Gpu, RunError> {
    let unknown = |problem| RunError::Unknown {
        what: "gpu",
        problem,
        shape: "data sheet",
    };
    if let Some(given) = given {
        return given.resolve().map_err(unknown);
    }
    let said = [
        config["nodes"][0]["instances"][0]["hardware"].as_str(),
        meta["hardware"]["device_name"].as_str(),
    ];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    let found = said.iter().find_map(|name| Gpu::called(name));
    let mut gpu = found.cloned().ok_or_else(|| match said.as_slice() {
        [] => unknown(
            "neither `nodes[0].instances[0].hardware` of `config.json` nor `hardware.device_name` of `meta.json` names it".to_owned(),
        ),
        names => unknown(not_known::<Gpu>(&names.join(", "))),
    })?;
    if let Some(bytes) = meta["hardware"]["device_total_memory_bytes"].as_u64() {
        gpu.memory_bytes = bytes;
    }
    Ok(match link(config) {
        Some((latency_s, bytes_per_s)) => gpu.with_link(latency_s, bytes_per_s),
        None => gpu,
    })
}

/// Latency, s, and rate, bytes/s, of the link between the GPUs: `link_latency` is in ns,
/// `link_bw` in GB/s.
fn link(config: &Value) -> Option<(f64, f64)> {
    let latency_ns = config["link_latency"].as_f64()?;
    let rate_gb_s = config["link_bw"].as_f64().filter(|rate| *rate > 0.0)?;
    Some((latency_ns * 1e-9, rate_gb_s * 1e9))
}

fn not_known<T: Catalogued>(name: &str) -> String {
    format!(
        "`{name}` is not in the catalogue: {}",
        T::names().join(", ")
    )
}
