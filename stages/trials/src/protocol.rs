use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How every trial of a study is run and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Protocol {
    /// Requests at the start that are served but not counted.
    pub warmup_requests: u64,
    /// What the client does.
    pub client: ClientLimits,
    /// What a request must keep to count as good.
    pub slo: Slo,
    /// Share of requests that may fail before a measured trial is void.
    pub max_error_rate: f64,
    /// What the prompts of a real server are drawn from. Empty: something new for every trial, so
    /// that no trial finds another's prompts in the prefix cache. A fixed word repeats them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub salt: String,
    /// How drawn prompts are sent. Real servers only.
    pub prompts: PromptForm,
}

impl Protocol {
    /// The path of what is set that the simulator's client does not have.
    pub(crate) fn beyond_the_simulator(&self) -> Option<Vec<&'static str>> {
        let of_client = self.client.beyond_the_simulator();
        let prompts = (self.prompts != PromptForm::Text).then(|| vec!["prompts"]);
        of_client.map(|name| vec!["client", name]).or(prompts)
    }
}

/// How drawn prompts are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptForm {
    /// As text of words that are one token each.
    Text,
    /// As the server's own tokens of such words, to `/v1/completions`: exact by construction. Needs a
    /// server with `/tokenize`, and a workload without conversations, as answers come as text.
    TokenIds,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            warmup_requests: 20,
            client: ClientLimits::default(),
            slo: Slo::default(),
            max_error_rate: 0.05,
            salt: String::new(),
            prompts: PromptForm::Text,
        }
    }
}

/// Chosen: no live server takes so long over a call that needs no model.
const HUNG_AFTER_S: Option<f64> = Some(10.0);

/// Limits and retries of the client; they shape latency as much as the server does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientLimits {
    /// Requests in flight at once; more wait in the client, and the wait counts. Null: no limit.
    pub max_in_flight: Option<u64>,
    /// What becomes of a request that finds so many in flight.
    pub at_cap: AtCap,
    /// Time limit of one attempt, from its send. Null: none, but for a real server 600 s.
    pub timeout_s: Option<f64>,
    /// Time limit from the send to the first token. Null: none. Real servers only.
    pub ttft_timeout_s: Option<f64>,
    /// Time limit between two tokens. Null: none. Real servers only.
    pub idle_timeout_s: Option<f64>,
    /// Time limit of making a connection. Real servers only.
    pub connect_timeout_s: f64,
    /// How long requests in flight may take after the last one has been sent. Real servers only.
    pub drain_timeout_s: f64,
    /// Further attempts after the first, for refusals and time limits.
    pub retries: u64,
    /// Pause before the first retry; doubled for each further one.
    pub backoff_s: f64,
    /// Which request a connection carries next. Real servers only.
    pub connections: Connections,
    /// Threads that send and read, each with connections of its own. Null: one for every 50,000
    /// tokens/s expected, at most one per core. Real servers only.
    pub shards: Option<u64>,
    /// Whether an open loop goes on, uncounted, until its last counted request has ended, so that this
    /// one too is served under full load; at most as long as it lasted. Real servers only.
    pub keep_load: bool,
    /// How long every request in flight and a call beside them may stay without a word until the server
    /// is taken to hang and the trial ends. Null: never before a time limit. Real servers only.
    pub hung_after_s: Option<f64>,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            max_in_flight: None,
            at_cap: AtCap::Queue,
            timeout_s: None,
            ttft_timeout_s: None,
            idle_timeout_s: None,
            connect_timeout_s: 10.0,
            drain_timeout_s: 600.0,
            retries: 0,
            backoff_s: 0.2,
            connections: Connections::Reuse,
            shards: None,
            keep_load: false,
            hung_after_s: HUNG_AFTER_S,
        }
    }
}

/// What becomes of a request that finds as many in flight as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtCap {
    /// It waits in the client, and the wait counts.
    Queue,
    /// It is not sent, and counts as failed. Real servers only.
    Shed,
}

/// Which request a connection carries next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Connections {
    /// Any: the one used last is used first. Opened before the first send, at most 200 a second.
    Reuse,
    /// None: every request makes its own, and its latency holds that.
    Fresh,
    /// The next of the same session, or of the same user of a closed loop; nobody else's.
    StickySession,
}

impl ClientLimits {
    /// What is wrong with a value, by its name.
    pub(crate) fn problem(&self) -> Option<(&'static str, String)> {
        if self.shards == Some(0) {
            return Some(("shards", "is 0, expected null or 1 or more".to_owned()));
        }
        let s = self.hung_after_s.filter(|s| !(s.is_finite() && *s > 0.0))?;
        Some((
            "hung_after_s",
            format!("is {s}, expected null or a number above 0"),
        ))
    }

    /// What is set that the simulator's client does not have.
    fn beyond_the_simulator(&self) -> Option<&'static str> {
        let set = [
            ("at_cap", self.at_cap == AtCap::Shed),
            ("ttft_timeout_s", self.ttft_timeout_s.is_some()),
            ("idle_timeout_s", self.idle_timeout_s.is_some()),
            ("connections", self.connections != Connections::Reuse),
            ("shards", self.shards.is_some()),
            ("keep_load", self.keep_load),
            ("hung_after_s", self.hung_after_s != HUNG_AFTER_S),
        ];
        set.into_iter().find(|(_, set)| *set).map(|(name, _)| name)
    }
}

/// Service-level objective: 95 % of the requests must stay within each limit that is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Slo {
    /// Limit on TTFT.
    pub ttft_p95_s: Option<f64>,
    /// Limit on TPOT.
    pub tpot_p95_s: Option<f64>,
    /// Limit on E2E.
    pub e2e_p95_s: Option<f64>,
}
