use sbt_engine::shell_line;
use sbt_schemas::CandidateRow;
use sbt_trials::Config;
use serde::Serialize;

use crate::inputs::Inputs;
use crate::params::Params;
use crate::view::Card;

/// What to deploy.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Answer {
    pub(crate) name: String,
    pub(crate) command: String,
    pub(crate) why: String,
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
