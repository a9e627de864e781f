use sbt_engine::shell_line;
use sbt_schemas::CandidateRow;
use sbt_trials::{Config, ServerSpec};
use serde::Serialize;

use crate::format;
use crate::inputs::Inputs;
use crate::params::Params;

/// What to deploy.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Answer {
    pub(crate) name: String,
    pub(crate) command: String,
    pub(crate) why: String,
}

/// One recommendation.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Card {
    pub(crate) place: u64,
    pub(crate) name: String,
    pub(crate) config_id: String,
    pub(crate) command: String,
    pub(crate) why: String,
    pub(crate) knobs: Vec<Knob>,
    pub(crate) metrics: Vec<Metric>,
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
    "vram_peak_mb",
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
            value: format::metric(name, found.mean),
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

pub(crate) fn answer(card: &Card) -> Answer {
    Answer {
        name: card.name.clone(),
        command: card.command.clone(),
        why: card.why.clone(),
    }
}

/// The configuration of a row. [`Inputs::read`] refuses tables with unreadable ones.
pub(crate) fn config(row: &CandidateRow) -> Config {
    Config::from_json(&row.config_name, &row.config).expect("checked when the table was read")
}

/// The command that starts the server.
pub(crate) fn command(params: &Params, config: &Config) -> String {
    shell_line(&params.backend().command(config))
}

/// What stood in the way, when nothing is recommended.
pub(crate) fn nothing(inputs: &Inputs) -> Vec<String> {
    if inputs
        .candidates
        .iter()
        .any(|row| row.recommended.is_some())
    {
        return Vec::new();
    }
    let lines = inputs.candidates.iter().map(|row| {
        let why = row.violated.as_ref().or(row.reason.as_ref());
        format!(
            "{}: {}",
            row.config_name,
            why.map_or("not on the front", String::as_str)
        )
    });
    lines.collect()
}
