use std::collections::BTreeSet;

use sbt_schemas::Provenance;
use sbt_trials::Protocol;
use serde::Serialize;

use crate::format;
use crate::inputs::Inputs;
use crate::params::Params;

/// Something that a reader must know to trust the figures.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fact {
    pub(crate) what: String,
    pub(crate) text: String,
}

pub(crate) fn facts(params: &Params, inputs: &Inputs) -> Vec<Fact> {
    let decides = |text: &str| {
        if inputs.decides {
            text.to_owned()
        } else {
            String::new()
        }
    };
    let protocol = params.protocol.as_ref();
    let facts = [
        ("workload", workload(inputs)),
        ("objectives", objectives(params)),
        ("constraints", params.goals.subject_to.join("; ")),
        ("client", protocol.map_or(String::new(), client)),
        (
            "service-level objective",
            protocol.map_or(String::new(), slo),
        ),
        (
            "seeds",
            decides(
                "Every candidate of the search served the same draw of the workload. The finalists \
                 and the baseline were then measured on fresh draws, common to all of them; only \
                 those figures are reported, with intervals over the draws: of the sign test for a \
                 figure, which is a median, and of Wilcoxon's signed-rank test for a change.",
            ),
        ),
        (
            "latency",
            "Counted from the intended send. A request that failed counts as infinitely slow; a \
             percentile that failures reach has no value."
                .to_owned(),
        ),
        ("intervals", intervals(inputs)),
        ("limits", limits(inputs)),
    ];
    let facts = facts.into_iter().filter(|(_, text)| !text.is_empty());
    facts
        .map(|(what, text)| Fact {
            what: what.to_owned(),
            text,
        })
        .collect()
}

/// How far the reader may rely on the figures, in a sentence.
pub(crate) fn trust(inputs: &Inputs) -> &'static str {
    match inputs.provenance() {
        Provenance::Measured => "The figures behind it were measured on a real server.",
        Provenance::Simulated | Provenance::Inferred => {
            "The figures behind it are not measured: confirm them on a real server before you roll \
             out."
        }
    }
}

fn intervals(inputs: &Inputs) -> String {
    if inputs.trials.is_empty() {
        return String::new();
    }
    "Those of single trials are at 95 %, between order statistics for percentiles and over batches \
     for means. They tell how well one run knows its figure; what differs from run to run is not \
     in them."
        .to_owned()
}

fn limits(inputs: &Inputs) -> String {
    let performance = match inputs.provenance() {
        Provenance::Measured => {
            "Performance was measured on a real server: it holds for that machine, that version \
             and this workload."
        }
        Provenance::Simulated | Provenance::Inferred if !inputs.fidelity.is_empty() => {
            "Performance comes from a simulator with data-sheet constants; what a real server \
             showed of the same configurations stands beside it, under \"Simulated against \
             measured\"."
        }
        Provenance::Simulated | Provenance::Inferred => {
            "Performance comes from a simulator with data-sheet constants, not from this hardware. \
             Confirm on a real server before you roll out."
        }
    };
    if inputs.quality.is_empty() {
        performance.to_owned()
    } else {
        format!("{performance} Quality comes from published effects on other models.")
    }
}

pub(super) fn workload(inputs: &Inputs) -> String {
    let rows = &inputs.workload;
    if rows.is_empty() {
        return String::new();
    }
    let draws: BTreeSet<u64> = rows.iter().map(|row| row.draw).collect();
    let sessions: BTreeSet<(u64, u64)> = rows.iter().map(|row| (row.draw, row.session)).collect();
    let count = rows.len() as f64;
    let mean = |tokens: fn(&sbt_schemas::WorkloadRow) -> u64| {
        rows.iter().map(|row| tokens(row) as f64).sum::<f64>() / count
    };
    format!(
        "{} of {} requests, {} turns per conversation; prompts of {} and answers of {} tokens on average",
        format::counted(draws.len(), "draw"),
        format::count(rows.len() as u64 / draws.len() as u64),
        format::digits(count / sessions.len() as f64),
        format::digits(mean(|row| row.prompt_tokens)),
        format::digits(mean(|row| row.output_tokens)),
    )
}

pub(super) fn objectives(params: &Params) -> String {
    let low = params
        .goals
        .minimize
        .iter()
        .map(|goal| format!("small {goal}"));
    let high = params
        .goals
        .maximize
        .iter()
        .map(|goal| format!("large {goal}"));
    low.chain(high).collect::<Vec<_>>().join(", ")
}

fn client(protocol: &Protocol) -> String {
    let client = &protocol.client;
    let limit = |value: Option<String>| value.unwrap_or_else(|| "no limit".to_owned());
    format!(
        "in flight: {}; time limit: {}; retries: {}; warm-up: {} requests, not counted",
        limit(client.max_in_flight.map(|n| n.to_string())),
        limit(client.timeout_s.map(format::seconds)),
        client.retries,
        protocol.warmup_requests,
    )
}

pub(crate) fn slo(protocol: &Protocol) -> String {
    let slo = &protocol.slo;
    let limits = [
        ("TTFT", slo.ttft_p95_s),
        ("TPOT", slo.tpot_p95_s),
        ("E2E", slo.e2e_p95_s),
    ];
    let set = limits
        .into_iter()
        .filter_map(|(name, limit)| Some(format!("{name} within {}", format::seconds(limit?))));
    set.collect::<Vec<_>>().join(", ")
}
