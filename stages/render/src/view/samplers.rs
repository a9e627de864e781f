use sbt_schemas::{SamplerSummary, TraceRow};
use serde::Serialize;

use crate::format;
use crate::inputs::Inputs;

/// Relative difference of hypervolume below which samplers count as equal.
const SAME: f64 = 0.01;

/// What one sampler found.
#[derive(Debug, Serialize)]
pub(crate) struct SamplerView {
    pub(crate) name: String,
    pub(crate) evaluations: String,
    pub(crate) feasible: String,
    pub(crate) hypervolume: String,
}

/// The last row of each sampler's trace, by name.
pub(crate) fn last_rows(trace: &[TraceRow]) -> Vec<&TraceRow> {
    let mut last: std::collections::BTreeMap<&str, &TraceRow> = std::collections::BTreeMap::new();
    for row in trace {
        let entry = last.entry(&row.sampler).or_insert(row);
        if row.evaluation >= entry.evaluation {
            *entry = row;
        }
    }
    last.into_values().collect()
}

pub(crate) fn numbers(inputs: &Inputs) -> Vec<SamplerSummary> {
    let rows = last_rows(&inputs.trace)
        .into_iter()
        .map(|row| SamplerSummary {
            sampler: row.sampler.clone(),
            evaluations: row.evaluation + 1,
            feasible: row.n_feasible,
            hypervolume: row.hypervolume,
        });
    rows.collect()
}

pub(crate) fn samplers(inputs: &Inputs) -> Vec<SamplerView> {
    let views = numbers(inputs).into_iter().map(|row| SamplerView {
        name: row.sampler,
        evaluations: format::count(row.evaluations),
        feasible: format::count(row.feasible),
        hypervolume: row
            .hypervolume
            .map_or(format::NOTHING.to_owned(), |v| format!("{v:.4}")),
    });
    views.collect()
}

/// Whether anybody beat random at the same budget, in a sentence.
pub(crate) fn comparison(inputs: &Inputs) -> String {
    let rows = numbers(inputs);
    let random = rows
        .iter()
        .find(|row| row.sampler == "random")
        .and_then(|row| row.hypervolume);
    let Some(random) = random.filter(|volume| *volume > 0.0) else {
        return match rows.iter().find(|row| row.sampler == "random") {
            Some(row) => format!(
                "Random search found {} feasible configurations of {} and no hypervolume to compare with.",
                row.feasible, row.evaluations
            ),
            None => "There is no random search to compare with.".to_owned(),
        };
    };
    let sentences = rows
        .iter()
        .filter(|row| row.sampler != "random")
        .filter_map(|row| {
            let ratio = row.hypervolume? / random - 1.0;
            let words = if ratio > SAME {
                format!(
                    "{} found {} more hypervolume than random",
                    row.sampler,
                    format::percent(ratio)
                )
            } else if ratio < -SAME {
                format!(
                    "{} found less hypervolume than random ({})",
                    row.sampler,
                    format::percent(ratio)
                )
            } else {
                format!(
                    "{} and random found the same hypervolume within 1 %",
                    row.sampler
                )
            };
            Some(format!(
                "{words}, at {} evaluations each, in this one study.",
                format::count(row.evaluations)
            ))
        });
    sentences.collect::<Vec<_>>().join(" ")
}
