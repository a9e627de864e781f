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

/// A command as a container runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerCommand {
    /// All words, with those that make it listen.
    pub words: Vec<String>,
    /// Those after what the image runs by itself.
    pub arguments: Vec<String>,
    /// The model: a name, a file or a folder.
    pub model: String,
    /// Words that set knobs.
    pub flags: Vec<String>,
}

impl ServerSpec {
    /// What a container runs of a command of this server; none where the file says nothing of
    /// containers.
    #[must_use]
    pub fn container(&self, command: &[String]) -> Option<ContainerCommand> {
        let (deploy, launch) = self.deploy.as_ref().zip(self.launch.as_ref())?;
        let words: Vec<String> = command.iter().chain(&deploy.listen).cloned().collect();
        let from = |start: usize| words.get(start..).unwrap_or_default().to_vec();
        let model = launch.command.iter().position(|word| word == "{model}");
        Some(ContainerCommand {
            arguments: from(deploy.entrypoint),
            model: model
                .and_then(|at| command.get(at))
                .cloned()
                .unwrap_or_default(),
            flags: command.iter().skip(launch.command.len()).cloned().collect(),
            words,
        })
    }
}
