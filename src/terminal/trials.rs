use sbt_schemas::TrialRow;

use crate::terminal::grid::grid;
use crate::terminal::number::short;

/// Rows that are shown; the rest is counted.
const SHOWN: usize = 12;

/// Trials of stages, for a pipeline that neither decides nor judges.
pub(crate) fn trials(stages: &[(String, Vec<TrialRow>)]) -> String {
    let rows: Vec<(&str, &TrialRow)> = stages
        .iter()
        .flat_map(|(stage, rows)| rows.iter().map(move |row| (stage.as_str(), row)))
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
    let shown = rows.iter().take(SHOWN).map(|(stage, row)| {
        vec![
            (*stage).to_owned(),
            row.config_name.clone(),
            row.outcome.word().to_owned(),
            row.provenance.word().to_owned(),
            number(row.ttft_p50_s),
            number(row.ttft_p95_s),
            number(row.tpot_p50_s),
            number(row.e2e_p95_s),
            number(row.tok_s),
        ]
    });
    let head = [
        "stage",
        "configuration",
        "outcome",
        "numbers",
        "TTFT p50 s",
        "p95 s",
        "TPOT p50 s",
        "E2E p95 s",
        "tokens/s",
    ];
    let mut text = grid(&head, shown.collect());
    if rows.len() > SHOWN {
        text.push_str(&format!("\n… and {} more", rows.len() - SHOWN));
    }
    text.push('\n');
    text
}
