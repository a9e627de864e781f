//! What a server answers, and under which names it counts.

use serde::Deserialize;

/// When a started server is ready.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readiness {
    /// Path that answers GET with 200 as soon as requests are served.
    pub path: String,
}

/// The HTTP interface of a server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Interfaces for requests, the preferred one first.
    pub requests: Vec<RequestForm>,
    /// How it counts the tokens of a text.
    pub tokenize: TokenizeForm,
    /// What empties the prefix cache; none where only a new server has an empty one.
    #[serde(default)]
    pub reset: Option<Reset>,
    /// Whether it generates past the end of sequence when asked to (`ignore_eos`).
    pub ignore_eos: bool,
    /// Whether it takes `min_tokens`.
    pub min_tokens: bool,
    /// Whether each chunk can carry the usage so far (`continuous_usage_stats`).
    pub continuous_usage: bool,
    /// Fields of its own that say where the time of a request went.
    pub timings: TimingsForm,
}

/// An interface for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestForm {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
}

/// How a server counts the tokens of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenizeForm {
    /// It does not.
    None,
    /// POST `/tokenize` with `{model, prompt}`: `{count, tokens, …}`. SGLang answers alike.
    Vllm,
    /// POST `/tokenize` with `{content}`: `{tokens}`.
    Llamacpp,
}

/// Timings that a server adds to its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimingsForm {
    /// None.
    None,
    /// Object `metrics` beside the usage, as of vLLM's `--enable-per-request-metrics`.
    VllmMetrics,
    /// Object `timings`, as of llama.cpp.
    LlamacppTimings,
}

/// A call that empties the prefix cache.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// Method, such as `POST`.
    pub method: String,
    /// Path, such as `/reset_prefix_cache`.
    pub path: String,
}

/// Names in a server's `/metrics`. Each value is the sum of all samples with one of the names;
/// where there is no name, the server does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Requests that are being served.
    pub running: Vec<String>,
    /// Requests that wait.
    pub waiting: Vec<String>,
    /// Share of the KV cache in use, 0 to 1.
    pub kv_usage: Vec<String>,
    /// Requests that were preempted, since the start.
    pub preemptions: Vec<String>,
    /// Prompt tokens that were looked up in the prefix cache, since the start.
    pub prefix_queries: Vec<String>,
    /// Prompt tokens that were found in it, since the start.
    pub prefix_hits: Vec<String>,
    /// Tokens generated, since the start.
    pub generation_tokens: Vec<String>,
}

impl Metrics {
    /// All names with what they count.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        [
            ("running", self.running.as_slice()),
            ("waiting", &self.waiting),
            ("kv_usage", &self.kv_usage),
            ("preemptions", &self.preemptions),
            ("prefix_queries", &self.prefix_queries),
            ("prefix_hits", &self.prefix_hits),
            ("generation_tokens", &self.generation_tokens),
        ]
        .into_iter()
    }
}
