use sbt_simulator::{Gpu, Model};
use sbt_trials::{CatalogueEntry, Catalogued};
use serde_json::Value;

use super::RunError;

/// Words behind a model's name that do not change its shape; numbers are release dates.
const SAME_SHAPE: [&str; 6] = ["base", "instruct", "it", "chat", "hf", "thinking"];

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
    let short = shape_name(name);
    let entries = Model::names().filter_map(Model::named);
    let mut found =
        entries.filter(|model| plain(&model.name) == short || shape_name(&model.hf_id) == short);
    let model = found.next().cloned();
    model.ok_or_else(|| unknown(not_known::<Model>(name)))
}

/// The GPU of a run: what is given, or what the files name. Memory is what the device says.
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
    let found = said.iter().find_map(|name| named_gpu(name));
    let mut gpu = found.cloned().ok_or_else(|| match said.as_slice() {
        [] => unknown(
            "neither `nodes[0].instances[0].hardware` of `config.json` nor `hardware.device_name` of `meta.json` names it".to_owned(),
        ),
        names => unknown(not_known::<Gpu>(&names.join(", "))),
    })?;
    if let Some(bytes) = meta["hardware"]["device_total_memory_bytes"].as_u64() {
        gpu.memory_bytes = bytes;
    }
    Ok(gpu)
}

/// By the catalogue's name inside what a device calls itself (`NVIDIA GeForce RTX 4090`), or by
/// the first word of a name (`H100`): of a card and a module the card is what says `PCIe`.
fn named_gpu(said: &str) -> Option<&'static Gpu> {
    let plain_said = plain(said);
    let within = Gpu::names().filter(|name| plain_said.contains(&plain(name)));
    if let Some(longest) = within.max_by_key(|name| name.len()) {
        return Gpu::named(longest);
    }
    let words = words(said);
    let card = |words: &[String]| words.iter().any(|word| word.starts_with("pcie"));
    let mut first_word = Gpu::names().filter(|name| {
        let of_name = self::words(name);
        let first = of_name.first();
        first.is_some_and(|first| words.contains(first)) && card(&of_name) == card(&words)
    });
    let only = first_word.next()?;
    if first_word.next().is_some() {
        None
    } else {
        Gpu::named(only)
    }
}

/// A repository's name without its owner and without what does not change the shape.
fn shape_name(repository: &str) -> String {
    let name = repository.rsplit('/').next().unwrap_or_default();
    let mut words = words(name);
    let ignored = |word: &String| {
        SAME_SHAPE.contains(&word.as_str())
            || (word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit()))
    };
    while words.last().is_some_and(ignored) {
        words.pop();
    }
    words.concat()
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn plain(text: &str) -> String {
    words(text).concat()
}

fn not_known<T: Catalogued>(name: &str) -> String {
    format!(
        "`{name}` is not in the catalogue: {}",
        T::names().join(", ")
    )
}
