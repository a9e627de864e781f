use std::collections::BTreeMap;
use std::fmt::Write as _;

use sbt_schemas::StudyRow;

/// The table for people, in Markdown: one line per scenario and sampler.
pub(crate) fn page(rows: &[StudyRow], shown: &[u64]) -> String {
    let mut lines: BTreeMap<(&str, &str), BTreeMap<u64, &StudyRow>> = BTreeMap::new();
    for row in rows {
        let line = lines.entry((&row.scenario, &row.sampler)).or_default();
        line.insert(row.evals, row);
    }
    let mut page = "# Samplers\n\nShare of the best known hypervolume that is truly feasible, mean \
                    over seeds with its 95 % interval; `>`: better than random at as many \
                    evaluations (paired t-test), `<`: worse, `=`: no difference found.\n\n| scenario \
                    | sampler | seeds |"
        .to_owned();
    let heads = shown.iter().map(|evals| format!(" {evals} evaluations |"));
    page.extend(heads);
    page.push_str("\n|---|---|---|");
    page.extend(shown.iter().map(|_| "---|"));
    for ((scenario, sampler), by_evals) in &lines {
        let seeds = by_evals.values().next().map_or(0, |row| row.n_seeds);
        // Writing to a string does not fail.
        let _ = write!(page, "\n| {scenario} | {sampler} | {seeds} |");
        let cells = shown.iter().map(|evals| by_evals.get(evals).copied());
        page.extend(cells.map(|row| format!(" {} |", row.map_or_else(String::new, cell))));
    }
    page.push('\n');
    page
}

fn cell(row: &StudyRow) -> String {
    let interval = match (row.hypervolume_lo, row.hypervolume_hi) {
        (Some(lo), Some(hi)) => format!(" ({lo:.2} to {hi:.2})"),
        (None, _) | (_, None) => String::new(),
    };
    let against = match (row.beats_random, row.gain_hi) {
        (Some(true), _) => " >",
        (Some(false), Some(hi)) if hi < 0.0 => " <",
        (Some(false), _) => " =",
        (None, _) => "",
    };
    format!("{:.2}{interval}{against}", row.hypervolume)
}
