//! What others call the models, GPUs and data types of the catalogue.

use crate::{Gpu, Model, WeightsDtype};

/// Words of a model's name that do not change its shape.
const SAME_SHAPE: [&str; 13] = [
    "meta",
    "base",
    "instruct",
    "it",
    "chat",
    "hf",
    "thinking",
    "dynamic",
    "quantized",
    "bf16",
    "kv",
    "v0.1",
    "v0.3",
];
/// Words that say the data type of the weights, in a model's name or a column about precision.
const DTYPES: [(&str, WeightsDtype); 20] = [
    ("bf16", WeightsDtype::Bfloat16),
    ("bfloat16", WeightsDtype::Bfloat16),
    ("fp16", WeightsDtype::Bfloat16),
    ("float16", WeightsDtype::Bfloat16),
    ("half", WeightsDtype::Bfloat16),
    ("fp8", WeightsDtype::Fp8),
    ("w8a8", WeightsDtype::Fp8),
    ("fp8block", WeightsDtype::Fp8Block),
    ("fp8static", WeightsDtype::Fp8),
    ("int8", WeightsDtype::Int8),
    ("w8a16", WeightsDtype::Int8),
    ("int8wo", WeightsDtype::Int8),
    ("int4", WeightsDtype::Int4),
    ("int4wo", WeightsDtype::Int4),
    ("w4a16", WeightsDtype::Int4),
    ("awq", WeightsDtype::Int4),
    ("gptq", WeightsDtype::Int4),
    ("fp4", WeightsDtype::Nvfp4),
    ("nvfp4", WeightsDtype::Nvfp4),
    ("mxfp4", WeightsDtype::Mxfp4),
];

impl Model {
    /// The model of the catalogue that a repository holds: by its name, owner, release date and
    /// quantisation aside.
    #[must_use]
    pub fn called(repository: &str) -> Option<&'static Self> {
        let asked = shape_words(repository);
        let mut models = Self::names().filter_map(Self::named);
        models.find(|model| asked == shape_words(&model.name) || asked == shape_words(&model.hf_id))
    }
}

impl Gpu {
    /// The GPU of the catalogue that a device, a system or a configuration file means: the one
    /// with the longest name within what it is called, on a module rather than a card.
    #[must_use]
    pub fn called(device: &str) -> Option<&'static Self> {
        let asked = plain(device);
        let mut best: Option<((usize, bool), &'static Self)> = None;
        for gpu in Self::names().filter_map(Self::named) {
            let (form, chip): (Vec<&str>, Vec<&str>) =
                gpu.name.split('-').partition(|word| FORMS.contains(word));
            let chip = chip.concat();
            let said = form
                .iter()
                .any(|word| *word != "80g" && asked.contains(word));
            let card_unsaid = form.contains(&"pcie") && !said;
            let rank = (2 * chip.len() + usize::from(said), !card_unsaid);
            if asked.contains(&chip) && best.is_none_or(|(so_far, _)| rank > so_far) {
                best = Some((rank, gpu));
            }
        }
        best.map(|(_, gpu)| gpu)
    }
}

/// Parts of a GPU's name that say how it is built in, or with how much memory.
const FORMS: [&str; 3] = ["sxm", "pcie", "80g"];

impl WeightsDtype {
    /// The data type that a word or a name means; none when it means none.
    #[must_use]
    pub fn called(text: &str) -> Option<Self> {
        let known = |text: &str| DTYPES.iter().find(|(word, _)| *word == text);
        let whole = known(&plain(text));
        let words = words(text);
        let found = whole.or_else(|| words.iter().rev().find_map(|word| known(word)));
        found.map(|(_, dtype)| *dtype)
    }
}

fn shape_words(repository: &str) -> Vec<String> {
    let name = repository.rsplit('/').next().unwrap_or_default();
    let mut words = words(name);
    words.retain(|word| {
        let date = word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit());
        let dtype = DTYPES.iter().any(|(known, _)| known == word);
        !date && !dtype && !SAME_SHAPE.contains(&word.as_str())
    });
    words
}

/// Words in lower case; a version with its dot is one.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn plain(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_found_whoever_quantised_them() {
        for (repository, name) in [
            ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
            ("meta-llama/Meta-Llama-3.1-8B-Instruct-FP8", "llama-3.1-8b"),
            (
                "RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic",
                "llama-3.3-70b",
            ),
            ("nvidia/Llama-3.3-70B-Instruct-NVFP4", "llama-3.3-70b"),
            ("Qwen/Qwen3-32B", "qwen3-32b"),
            ("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", "qwen3-235b-a22b"),
            ("Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4", "qwen2.5-72b"),
            ("openai/gpt-oss-120b", "gpt-oss-120b"),
            ("nvidia/DeepSeek-R1-0528-FP4", "deepseek-r1"),
            ("deepseek-ai/DeepSeek-V3.1", "deepseek-v3.1"),
            ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"),
            ("google/gemma-3-27b-it", "gemma-3-27b"),
        ] {
            let found = Model::called(repository).map(|model| model.name.as_str());
            assert_eq!(found, Some(name), "{repository}");
        }
        for unknown in ["Qwen/Qwen3-33B", "gpt-oss", "", "/"] {
            assert_eq!(Model::called(unknown), None, "{unknown}");
        }
        for model in Model::names().filter_map(Model::named) {
            assert_eq!(Model::called(&model.hf_id), Some(model));
        }
    }

    #[test]
    fn gpus_are_found_by_system_and_device() {
        for (device, name) in [
            ("h100_sxm", "h100-sxm"),
            ("NVIDIA H100 80GB HBM3", "h100-sxm"),
            ("NVIDIA H100 PCIe", "h100-pcie"),
            ("H200", "h200-sxm"),
            ("b200_sxm", "b200-sxm"),
            ("NVIDIA GB200", "gb200"),
            ("NVIDIA A100-SXM4-80GB", "a100-80g-sxm"),
            ("a100_pcie", "a100-80g-pcie"),
            ("rtx_pro_6000_server", "rtx-pro-6000"),
            ("RTXPRO6000", "rtx-pro-6000"),
            ("NVIDIA GeForce RTX 4090", "rtx-4090"),
            ("NVIDIA L40S", "l40s"),
            ("NVIDIA L4", "l4"),
        ] {
            let found = Gpu::called(device).map(|gpu| gpu.name.as_str());
            assert_eq!(found, Some(name), "{device}");
        }
        for unknown in ["b60", "MI300X", "RTX 6000 Ada", ""] {
            assert_eq!(Gpu::called(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn data_types_are_found_in_words_and_names() {
        for (text, dtype) in [
            ("fp8_block", Some(WeightsDtype::Fp8Block)),
            (
                "Llama-3.3-70B-Instruct-FP8-dynamic",
                Some(WeightsDtype::Fp8),
            ),
            ("nvfp4", Some(WeightsDtype::Nvfp4)),
            ("w4a16_mxfp4", Some(WeightsDtype::Mxfp4)),
            ("float16", Some(WeightsDtype::Bfloat16)),
            ("Qwen3-32B", None),
            ("", None),
        ] {
            assert_eq!(WeightsDtype::called(text), dtype, "{text}");
        }
    }
}
