//! A recorded run of a real server: a folder with `meta.json` (engine arguments), `config.json`
//! (hardware) and `requests.jsonl` (tokens and the server's own times of each request).

mod error;
mod hardware;
mod knobs;
mod params;
mod requests;

use std::fs;
use std::path::Path;

use sbt_schemas::WorkloadRow;
use sbt_simulator::{Gpu, Model};
use sbt_trials::{CatalogueEntry, SimulatedMachine};
use serde_json::Value;

use crate::latencies::Latencies;
use crate::scene::{Clock, Scene};
pub(crate) use error::RunError;
use hardware::{gpu_of, model_of};
pub(crate) use params::RecordedParams;

const META: &str = "meta.json";
const CONFIG: &str = "config.json";
const REQUESTS: &str = "requests.jsonl";

/// Reads a run, and the workload that was sent to it. `model` and `gpu` are taken instead of what
/// the run says.
///
/// # Errors
/// When a file is missing or malformed, the hardware is unknown, or the workload is another one.
pub(crate) fn read(
    folder: &Path,
    workload: &[WorkloadRow],
    model: Option<&CatalogueEntry<Model>>,
    gpu: Option<&CatalogueEntry<Gpu>>,
) -> Result<Scene, RunError> {
    let meta = json(folder, META)?;
    let config = json(folder, CONFIG)?;
    let engine = knobs::engine_config(&meta)?;
    let gpus = engine.tensor_parallel_size * engine.data_parallel_size;
    let machine = SimulatedMachine {
        model: model_of(&meta, model)?,
        gpu: gpu_of(&meta, &config, gpu)?,
        gpus,
        config: engine,
    };
    let recorded = requests::read(&text(folder, REQUESTS)?)?;
    let requests = requests::matched(&recorded, workload)?;
    let version = meta["vllm_version"]
        .as_str()
        .unwrap_or("of unknown version");
    Ok(Scene {
        title: format!(
            "vLLM {version}, {} on {gpus} x {}",
            machine.model.name, machine.gpu.name
        ),
        machine,
        clock: Clock::Server,
        requests,
        measured: recorded.iter().map(Latencies::from).collect(),
        streams: Vec::new(),
    })
}

fn text(folder: &Path, file: &'static str) -> Result<String, RunError> {
    let path = folder.join(file);
    fs::read_to_string(&path).map_err(|source| RunError::Unreadable {
        path: path.display().to_string(),
        source,
    })
}

fn json(folder: &Path, file: &'static str) -> Result<Value, RunError> {
    serde_json::from_str(&text(folder, file)?).map_err(|error| RunError::NoJson { file, error })
}

#[cfg(test)]
mod tests;
