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
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            warmup_requests: 20,
            client: ClientLimits::default(),
            slo: Slo::default(),
        }
    }
}

/// Limits and retries of the client; they shape latency as much as the server does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientLimits {
    /// Requests in flight at once; more wait in the client, and the wait counts. Null: no limit.
    pub max_in_flight: Option<u64>,
    /// Time limit of one attempt, from its send. Null: none.
    pub timeout_s: Option<f64>,
    /// Further attempts after the first, for refusals and time limits.
    pub retries: u64,
    /// Pause before the first retry; doubled for each further one.
    pub backoff_s: f64,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            max_in_flight: None,
            timeout_s: None,
            retries: 0,
            backoff_s: 0.2,
        }
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
