//! What a roll-out needs to know of a server.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ServerSpec;

/// How a server runs in a container, and what it tells Prometheus.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// Its public image.
    pub image: String,
    /// Leading words of the server's command that the image runs by itself: the container gets the
    /// words after them.
    pub entrypoint: usize,
    /// Words that make it listen on every address at [`Deploy::port`].
    pub listen: Vec<String>,
    /// Port that it listens on.
    pub port: u16,
    /// Charts and custom resources that know this server, by their templates.
    #[serde(default)]
    pub recipes: Vec<Recipe>,
    /// Variables that it was measured with and should run with.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Its histograms, by the latency that they hold: `ttft`, `tpot`, `e2e`.
    #[serde(default)]
    pub histograms: BTreeMap<String, Histogram>,
}

/// A histogram of Prometheus.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// Its name.
    pub metric: String,
    /// Upper end of its first bucket, s: it tells nothing of less.
    pub from_s: f64,
}

/// Ways of rolling out that not every server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// Values of the Helm chart of vLLM's production stack.
    ProductionStack,
    /// KServe's `LLMInferenceService`.
    Kserve,
}

impl ServerSpec {
    /// The command with what makes it listen, split where the image takes over: all words, and
    /// those that a container gets. None where the file says nothing of containers.
    #[must_use]
    pub fn container(&self, command: &[String]) -> Option<(Vec<String>, Vec<String>)> {
        let deploy = self.deploy.as_ref()?;
        let words: Vec<String> = command.iter().chain(&deploy.listen).cloned().collect();
        let arguments = words.get(deploy.entrypoint..).unwrap_or_default().to_vec();
        Some((words, arguments))
    }
}
