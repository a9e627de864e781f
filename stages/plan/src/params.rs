use sbt_trials::{Backend, Protocol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much to buy for a demand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// What serves the requests.
    pub(crate) backend: Backend,
    /// How every trial is run; its objective is what a replica must keep.
    #[serde(default)]
    pub(crate) protocol: Protocol,
    /// Demand at its peak, requests per second.
    pub(crate) peak_rps: f64,
    /// Share of its highest sustainable rate that a replica is planned to carry.
    #[serde(default = "default_headroom")]
    pub(crate) headroom: f64,
    /// Replicas on top, for failures and roll-outs.
    #[serde(default = "default_spares")]
    pub(crate) spares: u64,
    /// Draws that every rate is tried on.
    #[serde(default = "default_draws")]
    pub(crate) draws: Vec<u64>,
    /// Draws that the rate found is run again on; it is lowered until they sustain it too. None: it
    /// is not confirmed.
    #[serde(default)]
    pub(crate) fresh_draws: Vec<u64>,
    /// Share of the requests that must keep the objective.
    #[serde(default = "default_target")]
    pub(crate) target: f64,
    /// Relative width of the bracket at which the search ends.
    #[serde(default = "default_tolerance")]
    pub(crate) tolerance: f64,
}

fn default_headroom() -> f64 {
    0.75
}

fn default_spares() -> u64 {
    1
}

fn default_draws() -> Vec<u64> {
    vec![1, 2, 3]
}

fn default_target() -> f64 {
    0.95
}

fn default_tolerance() -> f64 {
    0.03
}

impl Params {
    /// The objective in words.
    pub(crate) fn objective(&self) -> String {
        let slo = &self.protocol.slo;
        let limits = [
            ("TTFT", slo.ttft_p95_s),
            ("TPOT", slo.tpot_p95_s),
            ("E2E", slo.e2e_p95_s),
        ];
        let set: Vec<String> = limits
            .into_iter()
            .filter_map(|(name, limit)| Some(format!("{name} <= {} s", limit?)))
            .collect();
        if set.is_empty() {
            return "every request answered".to_owned();
        }
        format!(
            "{} for {:.0} % of the requests",
            set.join(", "),
            self.target * 100.0
        )
    }
}
