use sbt_schemas::CandidateRow;
use sbt_trials::ServerSpec;
use serde::Serialize;

use crate::format;
use crate::inputs::Inputs;
use crate::params::Params;

/// Use of the KV cache, as a share, from which more of it tells nothing.
const KV_FULL: f64 = 0.95;

/// A rule of Prometheus.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Alert {
    name: String,
    expr: String,
    /// How long it must hold.
    lasts: &'static str,
    severity: &'static str,
    summary: String,
}

/// Rules for after the roll-out: the tail against what was found here, the objective, the
/// traffic against the plan, and the cache.
pub(crate) fn alerts(
    row: &CandidateRow,
    params: &Params,
    inputs: &Inputs,
    server: &ServerSpec,
) -> Vec<Alert> {
    let found = Found {
        row,
        inputs,
        server,
    };
    let slo = params
        .protocol
        .as_ref()
        .map(|protocol| protocol.slo.clone())
        .unwrap_or_default();
    let latencies = [
        ("ttft", "TTFT", slo.ttft_p95_s),
        ("tpot", "TPOT", slo.tpot_p95_s),
        ("e2e", "E2E", slo.e2e_p95_s),
    ];
    let tails = latencies
        .into_iter()
        .flat_map(|(key, name, limit)| [found.tail(key, name), found.objective(key, name, limit)]);
    let others = [found.traffic(), found.cache()];
    tails.chain(others).flatten().collect()
}

struct Found<'a> {
    row: &'a CandidateRow,
    inputs: &'a Inputs,
    server: &'a ServerSpec,
}

impl Found<'_> {
    /// The tail is above the upper bound of its interval.
    fn tail(&self, key: &str, name: &str) -> Option<Alert> {
        let metric = format!("{key}_p95_s");
        let found = self.inputs.stability_of(&self.row.config_id, &metric)?;
        let bound = found.hi.unwrap_or(found.value);
        let interval = format::interval(&metric, found.lo, found.hi);
        Some(Alert {
            name: format!("Serving{name}TailAboveExpected"),
            expr: format!("{} > {}", self.quantile(key, bound)?, plain(bound)),
            lasts: "15m",
            severity: "warning",
            summary: format!(
                "p95 of {name} is above what was {} for this configuration: {} ({interval})",
                found.provenance,
                format::metric(&metric, found.value)
            ),
        })
    }

    /// The tail breaks the service-level objective.
    fn objective(&self, key: &str, name: &str, limit: Option<f64>) -> Option<Alert> {
        let limit = limit?;
        Some(Alert {
            name: format!("Serving{name}ObjectiveMissed"),
            expr: format!("{} > {}", self.quantile(key, limit)?, plain(limit)),
            lasts: "5m",
            severity: "critical",
            summary: format!(
                "p95 of {name} is above the objective of {}",
                format::seconds(limit)
            ),
        })
    }

    /// More requests come than the plan is for.
    fn traffic(&self) -> Option<Alert> {
        let mut plans = self.inputs.plan.iter();
        let plan = plans.find(|plan| plan.config_id == self.row.config_id)?;
        let histogram = &self.server.deploy.as_ref()?.histograms.get("e2e")?.metric;
        Some(Alert {
            name: "ServingTrafficAbovePlan".to_owned(),
            expr: format!(
                "sum(rate({histogram}_count[5m])) > {}",
                plain(plan.peak_rps)
            ),
            lasts: "10m",
            severity: "warning",
            summary: format!(
                "more requests than the {} per second that the capacity was planned for",
                format::digits(plan.peak_rps)
            ),
        })
    }

    /// The KV cache is fuller than it was here.
    fn cache(&self) -> Option<Alert> {
        let found = self.inputs.stability_of(&self.row.config_id, "kv_peak")?;
        let peak = found.hi.unwrap_or(found.value);
        let metric = self.server.metrics.kv_usage.first()?;
        (peak < KV_FULL).then(|| Alert {
            name: "ServingKvCacheAboveExpected".to_owned(),
            expr: format!("max({metric}) > {}", plain(peak)),
            lasts: "15m",
            severity: "warning",
            summary: format!(
                "the KV cache is fuller than the peak of {} that was {} for this configuration",
                format::share(found.value),
                found.provenance
            ),
        })
    }

    /// The p95 of a latency; none where the server has no histogram that could show a value.
    fn quantile(&self, key: &str, threshold: f64) -> Option<String> {
        let histogram = self.server.deploy.as_ref()?.histograms.get(key)?;
        let metric = &histogram.metric;
        (threshold > histogram.from_s)
            .then(|| format!("histogram_quantile(0.95, sum by (le) (rate({metric}_bucket[5m])))"))
    }
}

/// A number with four significant digits, as a program reads it.
fn plain(value: f64) -> String {
    let digits = 3 - value.abs().max(f64::MIN_POSITIVE).log10().floor() as i32;
    let scale = 10_f64.powi(digits);
    ((value * scale).round() / scale).to_string()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn numbers_of_rules_have_four_digits_and_no_marks() {
        assert_eq!(plain(12_345.678), "12350");
        assert_eq!(plain(0.012_345_6), "0.01235");
        assert_eq!(plain(1.0), "1");
    }
}
