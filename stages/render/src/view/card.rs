use sbt_schemas::{CandidateRow, Provenance, StabilityRow, Verdict, VerdictRow};
use sbt_trials::ServerSpec;
use serde::Serialize;

use super::answer::{command, config};
use super::effects::MORE_IS_BETTER;
use super::method;
use crate::format;
use crate::inputs::Inputs;
use crate::params::Params;

/// Device memory: a server takes what it is told to, so that more of it is no loss.
const MEMORY: &str = "vram_peak_mb";
/// Use of the KV cache, as a share, from which a longer request preempts others.
const KV_CLOSE: f64 = 0.9;

/// One recommendation.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Card {
    pub(crate) place: u64,
    pub(crate) name: String,
    pub(crate) config_id: String,
    pub(crate) command: String,
    pub(crate) why: String,
    /// Under which circumstances the figures hold.
    pub(crate) when: Vec<String>,
    pub(crate) knobs: Vec<Knob>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) risks: Vec<String>,
    /// What would change the decision.
    pub(crate) changes: Vec<String>,
    /// The command to go back to; none for the baseline itself.
    pub(crate) rollback: Option<String>,
}

/// A knob and its value.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Knob {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) about: String,
}

/// A metric over the fresh seeds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) interval: String,
    pub(crate) delta: String,
}

/// Metrics that a card shows.
const CARD_METRICS: &[&str] = &[
    "ttft_p95_s",
    "tpot_p95_s",
    "e2e_p95_s",
    "e2e_p99_s",
    "goodput_rps",
    "slo_share",
    "cost_per_mtok",
    MEMORY,
    "quality",
];

pub(crate) fn cards(params: &Params, inputs: &Inputs, server: &ServerSpec) -> Vec<Card> {
    let recommended = inputs.recommended();
    recommended
        .into_iter()
        .map(|row| card(row, params, inputs, server))
        .collect()
}

fn card(row: &CandidateRow, params: &Params, inputs: &Inputs, server: &ServerSpec) -> Card {
    let config = config(row);
    let about = |name: &str| {
        server
            .knobs
            .get(name)
            .map_or(String::new(), |k| k.about.clone())
    };
    let metrics = CARD_METRICS.iter().filter_map(|name| {
        let found = inputs.stability_of(&row.config_id, name)?;
        Some(Metric {
            name: (*name).to_owned(),
            value: format::metric(name, found.value),
            interval: format::interval(name, found.lo, found.hi),
            delta: found.delta.map_or(format::NOTHING.to_owned(), |delta| {
                format::delta(delta, found.delta_lo, found.delta_hi)
            }),
        })
    });
    Card {
        place: row.recommended.unwrap_or(0),
        name: row.config_name.clone(),
        config_id: row.config_id.clone(),
        command: command(params, &config),
        why: row.why.clone().unwrap_or_default(),
        when: when(row, params, inputs),
        risks: risks(row, inputs),
        changes: changes(row, inputs),
        rollback: rollback(row, params, inputs),
        knobs: config
            .knobs
            .iter()
            .map(|(name, value)| Knob {
                name: name.clone(),
                value: value.to_string(),
                about: about(name),
            })
            .collect(),
        metrics: metrics.collect(),
    }
}

fn when(row: &CandidateRow, params: &Params, inputs: &Inputs) -> Vec<String> {
    let workload = method::workload(inputs);
    let objectives = method::objectives(params);
    let constraints = params.goals.subject_to.join("; ");
    let mut plans = inputs.plan.iter();
    let plan = plans.find(|plan| plan.config_id == row.config_id);
    let rate = plan.and_then(|plan| {
        let rate = format::digits(plan.max_rps?);
        Some(format!(
            "no more than {rate} requests per second reach one replica"
        ))
    });
    let lines = [
        (!workload.is_empty()).then(|| format!("the load is like the one here: {workload}")),
        (!objectives.is_empty()).then(|| format!("what counts is {objectives}")),
        (!constraints.is_empty()).then(|| format!("what must hold is {constraints}")),
        rate,
    ];
    lines.into_iter().flatten().collect()
}

fn risks(row: &CandidateRow, inputs: &Inputs) -> Vec<String> {
    let found = |metric: &str| inputs.stability_of(&row.config_id, metric);
    let mut risks = Vec::new();
    if row.provenance != Provenance::Measured {
        risks.push(method::trust(inputs).to_owned());
    }
    let worse = CARD_METRICS
        .iter()
        .filter_map(|metric| worse(found(metric)?));
    risks.extend(worse);
    if let Some(peak) = found("kv_peak").filter(|row| row.value >= KV_CLOSE) {
        risks.push(format!(
            "The KV cache is {} full at its peak: longer requests than these preempt others.",
            format::share(peak.value)
        ));
    }
    let variant = inputs.quality.iter().filter(|quality| {
        row.quality_variant.as_deref() == Some(quality.variant.as_str())
            && quality.verdict != Verdict::Pass
    });
    risks.extend(variant.map(|quality| {
        format!(
            "Quality of {} is {}.",
            quality.family,
            match quality.verdict {
                Verdict::Fail => "below its limit",
                Verdict::Inconclusive | Verdict::Pass => "not decided",
            }
        )
    }));
    risks
}

/// A metric that is worse than the baseline's beyond doubt.
fn worse(row: &StabilityRow) -> Option<String> {
    let (delta, lo, hi) = (row.delta?, row.delta_lo?, row.delta_hi?);
    let more_is_better = MORE_IS_BETTER.contains(&row.metric.as_str());
    let worse = if more_is_better { hi < 0.0 } else { lo > 0.0 };
    worse.then(|| {
        let delta = format::delta(delta, Some(lo), Some(hi));
        format!("`{}` is worse than the baseline's: {delta}.", row.metric)
    })
}

fn changes(row: &CandidateRow, inputs: &Inputs) -> Vec<String> {
    let gates = inputs.verdicts.iter().filter(|gate| {
        gate.subject == row.config_name && gate.value.is_some() && gate.verdict != Verdict::Fail
    });
    let mut changes: Vec<String> = gates
        .map(|gate| format!("`{}` beyond its limit; now {}.", gate.check, evidence(gate)))
        .collect();
    if row.provenance != Provenance::Measured {
        changes.push("Measurements on the real server outside the intervals above.".to_owned());
    }
    let next = inputs
        .recommended()
        .into_iter()
        .find(|other| other.recommended > row.recommended);
    changes.extend(next.map(|next| {
        let why = next.why.as_deref().unwrap_or("next in rank");
        format!("Other weights: `{}` is {why}.", next.config_name)
    }));
    changes
}

/// What a gate saw, without the sources of a quality: those stand with it.
fn evidence(gate: &VerdictRow) -> &str {
    let parts = gate.evidence.split_once("; ");
    parts
        .filter(|_| gate.check.starts_with("quality of "))
        .map_or(&gate.evidence, |(seen, _)| seen)
}

fn rollback(row: &CandidateRow, params: &Params, inputs: &Inputs) -> Option<String> {
    let baseline = inputs.baseline()?;
    (baseline.config_id != row.config_id).then(|| command(params, &config(baseline)))
}
