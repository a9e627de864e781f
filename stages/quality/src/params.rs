use std::collections::BTreeMap;
use std::time::Duration;

use sbt_engine::ParamError;
use sbt_trials::{Backend, Config, EndpointApi, EndpointBackend};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::gates::{Gates, Unknown};
use crate::suite::{Family, SuiteSpec};

/// `with` of a quality stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Params {
    /// Whom to ask: a real server. Without it, the scores are expected from publications.
    pub(crate) backend: Option<Backend>,
    /// The reference, and how it is served while it is asked: the knobs that can change answers
    /// are the reference's, which variants replace; the others are those of every variant.
    pub(crate) config: Config,
    /// What to ask; all suites that come with sbt when left out.
    pub(crate) suites: Vec<SuiteSpec>,
    /// Loss of score that is tolerated, by family: 0.02 is two points of a hundred.
    pub(crate) margins: BTreeMap<Family, f64>,
    /// Whether the reference is asked a second time, in another order and on a fresh server: the
    /// gate must not fire on it, and where it does nothing counts as worse.
    pub(crate) a_a: bool,
    /// Questions at once. Batching can change answers: the more, the likelier.
    pub(crate) concurrency: u64,
    /// Times that a variant is judged while it is asked: it is asked no more when it is decided.
    /// Each look is held to its share of the 5 %, by Bonferroni.
    pub(crate) looks: u64,
    /// Likeliest tokens to compare for each token; 0 where the server tells no log-probabilities.
    pub(crate) top_logprobs: u64,
    /// Further fields of each request, such as `chat_template_kwargs`.
    pub(crate) request: Map<String, Value>,
    /// Time for one answer.
    pub(crate) timeout_s: f64,
    /// Seed of samples, orders and resampling, and of the requests.
    pub(crate) seed: u64,
    /// A model that compares answers of some families with the reference's, instead of their
    /// scorers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) judge: Option<JudgeModel>,
    /// Whether programs that the model writes run where this machine cannot hold them: they can
    /// then read and write what you can. Otherwise such items are not run.
    pub(crate) unsafe_exec: bool,
    /// What table `verdicts` says: a pipeline fails with it.
    pub(crate) verdicts: Checks,
    /// Server whose knobs the space names, of publications; its file says which of them can change
    /// answers.
    pub(crate) server: String,
    /// Name of the model, of publications. Published effects on this model count; those on others
    /// stand in where there are none, and then decide nothing in a variant's favour.
    pub(crate) model: String,
    /// The space of the search. Of it count the knobs that can change answers and are a choice or
    /// a switch: every combination of their values is a variant.
    pub(crate) space: Map<String, Value>,
    /// Limits by task family, of publications.
    pub(crate) gates: Gates,
    /// What becomes of a family that is not decided: nothing is published about it, or too few
    /// items were asked.
    pub(crate) unknown: Unknown,
}

/// A judge: any OpenAI-compatible endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JudgeModel {
    /// Base of its interface, such as `http://127.0.0.1:8000/v1`.
    pub(crate) url: String,
    /// Model as requests name it.
    pub(crate) model: String,
    /// Name of the environment variable that holds the key, empty for none; the key itself is
    /// never stored.
    #[serde(default)]
    pub(crate) api_key_env: String,
    /// Families whose answers it compares.
    pub(crate) families: Vec<Family>,
}

impl JudgeModel {
    pub(crate) fn endpoint(&self) -> EndpointBackend {
        EndpointBackend {
            url: self.url.clone(),
            model: self.model.clone(),
            server: "openai".to_owned(),
            api: EndpointApi::Chat,
            api_key_env: self.api_key_env.clone(),
            usd_per_hour: None,
        }
    }
}

/// What table `verdicts` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Checks {
    /// The A/A run alone: what becomes of a variant is the search's business.
    #[default]
    AA,
    /// Each family of each variant too.
    All,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            backend: None,
            config: Config {
                name: "reference".to_owned(),
                knobs: BTreeMap::new(),
            },
            suites: Vec::new(),
            margins: BTreeMap::new(),
            a_a: true,
            concurrency: 4,
            looks: 1,
            top_logprobs: 10,
            request: Map::new(),
            timeout_s: 120.0,
            seed: 0,
            judge: None,
            unsafe_exec: false,
            verdicts: Checks::default(),
            server: String::new(),
            model: String::new(),
            space: Map::new(),
            gates: Gates::default(),
            unknown: Unknown::default(),
        }
    }
}

/// Most looks: each further one costs power.
const MOST_LOOKS: u64 = 20;

impl Params {
    /// The suites that are asked.
    pub(crate) fn suites(&self) -> Vec<SuiteSpec> {
        match self.suites.is_empty() {
            true => Family::ALL.map(SuiteSpec::shipped).to_vec(),
            false => self.suites.clone(),
        }
    }

    /// Questions at once.
    pub(crate) fn concurrency(&self) -> usize {
        usize::try_from(self.concurrency).unwrap_or(1)
    }

    /// Time for one answer.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout_s)
    }

    /// Loss that a family may have.
    pub(crate) fn margin(&self, family: Family) -> f64 {
        let margin = self.margins.get(&family).copied();
        margin.unwrap_or_else(|| family.margin())
    }

    /// What is set that publications have no use for.
    pub(crate) fn beyond_publications(&self) -> Vec<ParamError> {
        let message = "needs a `backend` to ask";
        let set = [
            ("suites", !self.suites.is_empty()),
            ("margins", !self.margins.is_empty()),
        ];
        let set = set.into_iter().filter(|(_, set)| *set);
        set.map(|(key, _)| ParamError::at(&[key], message))
            .collect()
    }

    /// What is wrong with asking a backend.
    pub(crate) fn problems_of_asking(&self, backend: &Backend) -> Vec<ParamError> {
        let mut problems = backend.problems_of_config(&self.config, &["config"]);
        if let Some(judge) = &self.judge {
            problems.extend(Backend::Endpoint(judge.endpoint()).problems(&["judge"]));
        }
        let mut at = |path: &[&str], message: String| problems.push(ParamError::at(path, message));
        match backend {
            Backend::Simulator(_) => at(
                &["backend"],
                "a simulated server has no answers; leave it out to go by publications".to_owned(),
            ),
            Backend::Endpoint(_) if !self.space.is_empty() => at(
                &["space"],
                "a server that runs already has no variants".to_owned(),
            ),
            Backend::Endpoint(_) | Backend::Server(_) => {}
        }
        for (key, given) in [("server", &self.server), ("model", &self.model)] {
            if !given.is_empty() {
                at(&[key], "is the backend's to say".to_owned());
            }
        }
        if self.gates != Gates::default() {
            at(
                &["gates"],
                "are those of publications: use `margins`".to_owned(),
            );
        }
        for (family, margin) in &self.margins {
            if !(0.0..1.0).contains(margin) {
                let message = format!("is {margin}, expected a share from 0 to 1");
                at(&["margins", family.word()], message);
            }
        }
        if !(1..=MOST_LOOKS).contains(&self.looks) {
            let message = format!("is {}, expected 1 to {MOST_LOOKS}", self.looks);
            at(&["looks"], message);
        }
        if !(1..=1024).contains(&self.concurrency) {
            at(
                &["concurrency"],
                format!("is {}, expected 1 to 1024", self.concurrency),
            );
        }
        if !(self.timeout_s > 0.0 && self.timeout_s <= 86_400.0) {
            at(
                &["timeout_s"],
                format!("is {}, expected 0 to 86400", self.timeout_s),
            );
        }
        for (index, suite) in self.suites.iter().enumerate() {
            for (key, message) in suite.problems() {
                at(&["suites", &index.to_string(), key], message);
            }
        }
        problems
    }
}
