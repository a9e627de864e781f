use std::collections::{BTreeMap, BTreeSet};

use sbt_schemas::{Measurement, Outcome, Phase, Provenance, RequestRow, RequestStatus, TrialRow};
use serde::Serialize;

use super::latency::{LatencyView, latencies, latency, notes};
use super::method::{Fact, slo};
use crate::format::{self, NOTHING};
use crate::inputs::Inputs;
use crate::params::Params;

/// What one trial showed.
#[derive(Debug, Serialize)]
pub(crate) struct TrialView {
    pub(crate) name: String,
    pub(crate) outcome: String,
    pub(crate) ok: bool,
    pub(crate) reason: String,
    pub(crate) latencies: Vec<LatencyView>,
    pub(crate) notes: Vec<String>,
    pub(crate) figures: Vec<Fact>,
    pub(crate) ends: Vec<EndView>,
    pub(crate) conditions: Vec<Fact>,
}

/// Requests that ended alike.
#[derive(Debug, Serialize)]
pub(crate) struct EndView {
    pub(crate) status: String,
    pub(crate) count: String,
    pub(crate) share: String,
    /// What the first of them said went wrong.
    pub(crate) example: String,
}

/// Every trial for the summary; none when the pipeline decides.
pub(crate) fn numbers(inputs: &Inputs) -> Vec<Measurement> {
    if inputs.decides {
        return Vec::new();
    }
    let rows = inputs.trials.iter().map(|row| Measurement {
        config_name: row.config_name.clone(),
        draw: row.draw,
        rate_scale: row.rate_scale,
        provenance: row.provenance,
        started_at: row.started_at.clone(),
        outcome: row.outcome,
        reason: row.reason.clone(),
        n: row.n,
        n_ok: row.n_ok,
        statuses: row.statuses.clone(),
        ttft: latency(row, "ttft"),
        tpot: latency(row, "tpot"),
        e2e: latency(row, "e2e"),
        tok_s: row.tok_s,
        rps: row.rps,
        goodput_rps: row.goodput_rps,
        slo_share: row.slo_share,
    });
    rows.collect()
}

pub(crate) fn trials(params: &Params, inputs: &Inputs) -> Vec<TrialView> {
    let views = inputs.trials.iter().map(|row| TrialView {
        name: name(row, inputs),
        outcome: row.outcome.to_string(),
        ok: row.outcome == Outcome::Ok,
        reason: row.reason.clone().unwrap_or_default(),
        latencies: latencies(row),
        notes: notes(row),
        figures: figures(params, row),
        ends: ends(row, &inputs.requests),
        conditions: conditions(row, inputs),
    });
    views.collect()
}

/// Heading of the section, by where its numbers come from.
pub(crate) fn heading(inputs: &Inputs) -> &'static str {
    match inputs.trials.first().map(|row| row.provenance) {
        Some(Provenance::Measured) => "Measured",
        Some(Provenance::Simulated) => "Simulated",
        Some(Provenance::Inferred) => "Inferred",
        None => "",
    }
}

/// The configuration, and what tells its trials apart.
fn name(row: &TrialRow, inputs: &Inputs) -> String {
    let mut name = row.config_name.clone();
    if inputs.trials.iter().any(|other| other.draw != row.draw) {
        name.push_str(&format!(", draw {}", row.draw));
    }
    if inputs
        .trials
        .iter()
        .any(|other| other.rate_scale != row.rate_scale)
    {
        name.push_str(&format!(", {} x the rate", format::digits(row.rate_scale)));
    }
    name
}

/// Rates and what the server showed of itself.
fn figures(params: &Params, row: &TrialRow) -> Vec<Fact> {
    let of = |column: &str, value: Option<f64>| value.map(|value| format::metric(column, value));
    let limits = params.protocol.as_ref().map(slo);
    let limits = match limits.as_deref() {
        Some("") => "; no objective is set".to_owned(),
        Some(limits) => format!("; the objective is {limits}"),
        None => String::new(),
    };
    let share = row.slo_share.map_or(String::new(), |share| {
        format!(", {} of all requests", format::share(share))
    });
    let goodput = of("goodput_rps", row.goodput_rps);
    let goodput = goodput.map(|rate| format!("{rate}{share}{limits}"));
    facts([
        (
            "throughput",
            joined([of("tok_s", row.tok_s), of("rps", row.rps)]),
        ),
        ("goodput", goodput),
        ("E2E p99 / p50", row.tail_amp.map(format::digits)),
        ("tokens per event", row.tokens_per_event.map(format::digits)),
        ("KV cache, peak", row.kv_peak.map(format::share)),
        ("prefix cache hits", row.prefix_hit_rate.map(format::share)),
        ("preemptions", row.preemptions.map(format::count)),
        ("device memory, peak", of("vram_peak_mb", row.vram_peak_mb)),
        ("server's memory, peak", of("rss_peak_mb", row.rss_peak_mb)),
        ("GPU at work", row.gpu_use_mean.map(format::share)),
        (
            "power",
            row.power_mean_w
                .map(|watts| format!("{} W", format::digits(watts))),
        ),
        ("cost", of("cost_per_mtok", row.cost_per_mtok)),
    ])
}

/// What a reader must know to trust the figures of this trial.
fn conditions(row: &TrialRow, inputs: &Inputs) -> Vec<Fact> {
    let lag = row.lag_p50_s.map(|p50| {
        let known = |value: Option<f64>| value.map_or(NOTHING.to_owned(), format::seconds);
        format!(
            "{} behind the schedule at the median, {} at p99, {} at most",
            format::seconds(p50),
            known(row.lag_p99_s),
            known(row.lag_max_s)
        )
    });
    let cpu = row
        .client_cpu
        .map(|share| format!("{:.0} % of one core", share * 100.0));
    facts([
        ("backend", Some(row.backend.clone())),
        ("server version", row.server_version.clone()),
        ("measured at", row.started_at.clone()),
        ("took", row.wall_s.map(format::seconds)),
        ("loop", arrivals(row, inputs)),
        ("client's sends", lag),
        ("client's processor", cpu),
        ("salt of the prompts", row.salt.clone()),
        ("warnings", row.warnings.clone()),
    ])
}

/// Whether the sends wait for answers.
fn arrivals(row: &TrialRow, inputs: &Inputs) -> Option<String> {
    let served = inputs
        .workload
        .iter()
        .filter(|request| request.draw == row.draw);
    let served: Vec<_> = served.collect();
    if served.is_empty() {
        return None;
    }
    let follows = |continues: bool| {
        let mut later = served.iter().filter(|request| request.arrival_s.is_none());
        later.any(|request| request.continues == continues)
    };
    Some(if follows(false) {
        let users: BTreeSet<u64> = served.iter().map(|request| request.session).collect();
        format!(
            "closed: {}, each sends when the answer before has ended",
            format::counted(users.len(), "user")
        )
    } else if follows(true) {
        "open: conversations begin by the schedule, their later turns follow the answers".to_owned()
    } else {
        "open: every request is sent by the schedule, whatever becomes of the others".to_owned()
    })
}

/// Measured requests of a trial by how they ended, most first.
fn ends(trial: &TrialRow, requests: &[RequestRow]) -> Vec<EndView> {
    let mut by_status: BTreeMap<RequestStatus, (u64, Option<&str>)> = BTreeMap::new();
    let of_trial = requests
        .iter()
        .filter(|row| row.trial_key == trial.trial_key && row.phase == Phase::Measure);
    for row in of_trial {
        let (count, example) = by_status.entry(row.status).or_default();
        *count += 1;
        *example = example.or(row.error.as_deref());
    }
    let total: u64 = by_status.values().map(|(count, _)| count).sum();
    let mut ends: Vec<_> = by_status.into_iter().collect();
    ends.sort_by_key(|(status, (count, _))| (std::cmp::Reverse(*count), *status));
    let views = ends.into_iter().map(|(status, (count, example))| EndView {
        status: status.to_string(),
        count: format::count(count),
        share: format::share(count as f64 / total as f64),
        example: example.unwrap_or_default().to_owned(),
    });
    views.collect()
}

fn joined(parts: [Option<String>; 2]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn facts<const N: usize>(known: [(&str, Option<String>); N]) -> Vec<Fact> {
    let known = known
        .into_iter()
        .filter_map(|(what, text)| Some((what, text?)));
    known
        .map(|(what, text)| Fact {
            what: what.to_owned(),
            text,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples::{asked, measurement, params, trial};

    #[test]
    fn ends_count_measured_requests_and_give_the_first_error() {
        let inputs = measurement();
        let ends = ends(&inputs.trials[0], &inputs.requests);
        let ends: Vec<(&str, &str, &str, &str)> = ends
            .iter()
            .map(|end| (&*end.status, &*end.count, &*end.share, &*end.example))
            .collect();
        assert_eq!(
            ends,
            [
                ("ok", "3", "60.00 %", ""),
                ("stream_cut", "2", "40.00 %", "unexpected end | of stream"),
            ]
        );
    }

    #[test]
    fn loop_is_read_off_the_schedule() {
        let row = trial(&json!({}));
        let said = |workload| {
            let inputs = Inputs {
                workload,
                ..Inputs::default()
            };
            arrivals(&row, &inputs).unwrap_or_default()
        };
        let later = |continues: bool| {
            let turn =
                json!({ "session": 0, "turn": 1, "arrival_s": null, "continues": continues });
            vec![asked(0, &json!({})), asked(1, &turn)]
        };
        assert!(said(vec![asked(0, &json!({}))]).starts_with("open: every request"));
        assert!(said(later(true)).starts_with("open: conversations"));
        assert!(said(later(false)).starts_with("closed: 1 user,"));
        assert_eq!(said(vec![asked(0, &json!({ "draw": 7 }))]), "");
    }

    #[test]
    fn conditions_hold_what_is_known_and_no_more() {
        let inputs = measurement();
        let known = conditions(&inputs.trials[0], &inputs);
        let names: Vec<&str> = known.iter().map(|fact| fact.what.as_str()).collect();
        assert_eq!(
            names,
            [
                "backend",
                "server version",
                "measured at",
                "took",
                "client's sends"
            ]
        );
        assert!(
            known[4].text.contains("0.400 ms at p99, 2.10 ms at most"),
            "{}",
            known[4].text
        );
    }

    #[test]
    fn trials_are_told_apart_by_what_differs() {
        let mut inputs = measurement();
        assert_eq!(trials(&params(), &inputs)[0].name, "endpoint");
        inputs.trials.push(trial(&json!({ "draw": 1 })));
        assert_eq!(trials(&params(), &inputs)[1].name, "endpoint, draw 1");
        inputs.trials.push(trial(&json!({ "rate_scale": 2.0 })));
        assert_eq!(
            trials(&params(), &inputs)[2].name,
            "endpoint, draw 0, 2.00 x the rate"
        );
    }
}
