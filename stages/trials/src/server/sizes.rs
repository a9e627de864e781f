//! Where a server tells the sizes of its engine.

use serde::Deserialize;

/// The sizes of an engine, each where the server tells it; nothing where it does not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sizes {
    /// Tokens of the KV cache.
    pub kv_cache_tokens: Option<Told>,
    /// Blocks of the KV cache.
    pub num_gpu_blocks: Option<Told>,
    /// Tokens of one block.
    pub block_size: Option<Told>,
    /// Most requests that run at once.
    pub max_num_seqs: Option<Told>,
    /// Most tokens of one step.
    pub max_num_batched_tokens: Option<Told>,
}

/// Where a server tells a number. Of several engines behind one address, the first one's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Told {
    /// A label of a metric in `/metrics`.
    Label {
        /// Name of the metric.
        metric: String,
        /// Name of the label.
        name: String,
    },
    /// The answer to GET, which is JSON.
    Json {
        /// Path, with its query.
        path: String,
        /// Place in the answer: a JSON pointer (RFC 6901).
        at: String,
    },
}
