//! The sizes of a real server's engine, as it tells them.

use std::collections::BTreeMap;

use sbt_client::prometheus::{self, Sample};
use sbt_client::side::Side;
use serde_json::Value;

use crate::server::{Sizes, Told};
use crate::trial_row::EngineSizes;

/// Asks a server that is idle; what it does not tell is left open.
pub(crate) fn read(side: &Side, model: &str, sizes: &Sizes) -> EngineSizes {
    let mut answers = Answers {
        side,
        metrics: None,
        json: BTreeMap::new(),
    };
    let mut number = |told: &Option<Told>| answers.number(told.as_ref()?);
    let (num_gpu_blocks, block_size) = (number(&sizes.num_gpu_blocks), number(&sizes.block_size));
    let in_blocks = || num_gpu_blocks?.checked_mul(block_size?);
    EngineSizes {
        num_gpu_blocks,
        block_size,
        kv_cache_tokens: number(&sizes.kv_cache_tokens).or_else(in_blocks),
        max_num_seqs: number(&sizes.max_num_seqs),
        max_num_batched_tokens: number(&sizes.max_num_batched_tokens),
        max_model_len: longest(side, model),
    }
}

fn longest(side: &Side, model: &str) -> Option<u64> {
    let models = side.models().ok()?;
    let served = models.iter().find(|served| served.id == model);
    served?.max_tokens
}

/// What a server answered so far: each path is asked once. Numbers alone leave it: vLLM's
/// answer tells its environment too.
struct Answers<'a> {
    side: &'a Side,
    metrics: Option<Vec<Sample>>,
    json: BTreeMap<String, Value>,
}

impl Answers<'_> {
    fn number(&mut self, told: &Told) -> Option<u64> {
        match told {
            Told::Label { metric, name } => label(self.metrics(), metric, name),
            Told::Json { path, at } => self.json(path).pointer(at)?.as_u64(),
        }
    }

    fn metrics(&mut self) -> &[Sample] {
        let side = self.side;
        self.metrics
            .get_or_insert_with(|| prometheus::parse(&side.metrics().unwrap_or_default()))
    }

    fn json(&mut self, path: &str) -> &Value {
        let side = self.side;
        self.json
            .entry(path.to_owned())
            .or_insert_with(|| side.json_at(path).unwrap_or_default())
    }
}

fn label(samples: &[Sample], metric: &str, name: &str) -> Option<u64> {
    let mut labels = samples
        .iter()
        .filter(|sample| sample.name == metric)
        .flat_map(|sample| &sample.labels);
    let (_, value) = labels.find(|(label, _)| label == name)?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_of_the_first_engine_is_a_number_or_nothing() {
        let text = r#"
vllm:other{num_gpu_blocks="1"} 1.0
vllm:cache_config_info{block_size="None",engine="0",num_gpu_blocks="364"} 1.0
vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="365"} 1.0
"#;
        let samples = prometheus::parse(text);
        let label = |name| label(&samples, "vllm:cache_config_info", name);
        assert_eq!(label("num_gpu_blocks"), Some(364));
        assert_eq!(label("block_size"), None);
        assert_eq!(label("absent"), None);
    }
}
