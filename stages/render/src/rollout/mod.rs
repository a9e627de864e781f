//! What to roll out, for the tools that do it, and how to notice that it goes wrong.

mod alerts;

use std::collections::BTreeMap;
use std::path::Path;

use handlebars::RenderError;
use sbt_engine::shell_line;
use sbt_schemas::CandidateRow;
use sbt_trials::{ContainerCommand, Deploy, Launch, Recipe, ServerSpec};
use serde::Serialize;

use crate::inputs::Inputs;
use crate::params::Params;
use crate::templates::fill;
use crate::view::{View, config};

use alerts::{Alert, alerts};

/// Seconds between two probes of a server that starts.
const PROBE_EVERY_S: u64 = 10;
/// Time to end after SIGTERM at least, s: open streams are let end.
const STOP_S: u64 = 30;
/// Characters of a name that Kubernetes takes everywhere.
const LONGEST_NAME: usize = 50;

/// The recommended configuration as a deployment.
#[derive(Debug, Serialize)]
struct Rollout<'a> {
    view: &'a View,
    config_name: &'a str,
    config_id: &'a str,
    /// A name that is a DNS label.
    app: String,
    /// Command as it was measured, for a shell.
    shell: String,
    /// The same, listening on every address, for a systemd unit.
    unit: String,
    gpus: u64,
    replicas: u64,
    ready: &'a str,
    start_timeout_s: u64,
    start_probes: u64,
    stop_s: u64,
    container: Option<Container<'a>>,
    alerts: Vec<Alert>,
}

/// A container that runs it.
#[derive(Debug, Serialize)]
struct Container<'a> {
    image: &'a str,
    repository: &'a str,
    tag: &'a str,
    /// Name, file or folder.
    model: String,
    /// Folder of this machine that the model is in, when it is no name.
    model_folder: Option<String>,
    /// Every word that the container gets.
    arguments: Vec<String>,
    /// Those that set knobs.
    flags: Vec<String>,
    flags_line: String,
    port: u16,
    environment: &'a BTreeMap<String, String>,
}

/// Files of the recommendation, by path; none without one.
pub(crate) fn files(
    view: &View,
    params: &Params,
    inputs: &Inputs,
    server: &ServerSpec,
) -> Result<BTreeMap<String, String>, RenderError> {
    let Some(row) = inputs.recommended().first().copied() else {
        return Ok(BTreeMap::new());
    };
    let rollout = Rollout::new(row, view, params, inputs, server);
    let recipes = server.deploy.iter().flat_map(|deploy| &deploy.recipes);
    let recipes = recipes.map(|recipe| match recipe {
        Recipe::ProductionStack => "production-stack.yaml",
        Recipe::Kserve => "kserve.yaml",
    });
    let mut templates = vec![
        (format!("{}-serve.sh", server.name), "serve.sh"),
        (format!("{}.service", server.name), "unit.service"),
    ];
    if rollout.container.is_some() {
        let anywhere = ["compose.yaml", "kubernetes.yaml"].into_iter();
        templates.extend(anywhere.chain(recipes).map(|name| (name.to_owned(), name)));
    }
    if !rollout.alerts.is_empty() {
        templates.push(("alerts.yaml".to_owned(), "alerts.yaml"));
    }
    let filled = templates.into_iter().map(|(file, template)| {
        let text = fill(&format!("deploy/{template}"), &rollout)?;
        Ok((format!("deploy/{file}"), text))
    });
    filled.collect()
}

impl<'a> Rollout<'a> {
    fn new(
        row: &'a CandidateRow,
        view: &'a View,
        params: &'a Params,
        inputs: &'a Inputs,
        server: &'a ServerSpec,
    ) -> Self {
        let command = params.backend().command(&config(row));
        let container = server.container(&command);
        let listening = container.as_ref().map_or(&command, |found| &found.words);
        let plan = inputs
            .plan
            .iter()
            .find(|plan| plan.config_id == row.config_id);
        let replicas = plan.and_then(|plan| Some(plan.replicas? + plan.spares));
        let launch = server.launch.as_ref();
        let whole = |seconds: fn(&Launch) -> f64| launch.map_or(0, |l| seconds(l).ceil() as u64);
        let start_timeout_s = whole(|launch| launch.start_timeout_s);
        Self {
            view,
            config_name: &row.config_name,
            config_id: &row.config_id,
            app: label(&format!("{}-{}", server.name, row.config_name)),
            shell: shell_line(&command),
            unit: unit_line(listening),
            gpus: row.gpus,
            replicas: replicas.unwrap_or(1),
            ready: &server.ready.path,
            start_timeout_s,
            start_probes: start_timeout_s.div_ceil(PROBE_EVERY_S),
            stop_s: STOP_S.max(whole(|launch| launch.stop_grace_s)),
            container: server
                .deploy
                .as_ref()
                .zip(container)
                .map(|(deploy, command)| Container::new(deploy, command)),
            alerts: alerts(row, params, inputs, server),
        }
    }
}

impl<'a> Container<'a> {
    fn new(deploy: &'a Deploy, command: ContainerCommand) -> Self {
        let (repository, tag) = deploy
            .image
            .rsplit_once(':')
            .unwrap_or((&deploy.image, "latest"));
        let folder = Path::new(&command.model).parent();
        let folder = folder.filter(|_| command.model.starts_with('/'));
        Self {
            image: &deploy.image,
            repository,
            tag,
            model_folder: folder.map(|folder| folder.display().to_string()),
            model: command.model,
            arguments: command.arguments,
            flags_line: shell_line(&command.flags),
            flags: command.flags,
            port: deploy.port,
            environment: &deploy.environment,
        }
    }
}

/// A name that is a DNS label (RFC 1123).
fn label(name: &str) -> String {
    let plain = name.chars().map(|c| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '-',
    });
    let plain: String = plain.take(LONGEST_NAME).collect();
    plain.trim_matches('-').to_owned()
}

/// Words as a command of a systemd unit (systemd.service(5), "Command lines").
fn unit_line(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let word = word.replace('%', "%%").replace('$', "$$");
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%$".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word
        } else {
            format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_dns_labels() {
        assert_eq!(label("vllm-NSGA2_017"), "vllm-nsga2-017");
        assert_eq!(label("--a b--"), "a-b");
    }

    #[test]
    fn words_of_a_unit_are_quoted_as_systemd_reads_them() {
        let words = ["vllm", "--json", r#"{"a": "50%"}"#, "$HOME"].map(str::to_owned);
        assert_eq!(
            unit_line(&words),
            r#"vllm --json "{\"a\": \"50%%\"}" $$HOME"#
        );
    }
}
