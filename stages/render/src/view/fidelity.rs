use sbt_schemas::FidelityRow;
use serde::Serialize;

use crate::format::{self, NOTHING};
use crate::inputs::Inputs;

/// One figure as the simulator said it and as it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct FidelityView {
    pub(crate) name: String,
    pub(crate) metric: String,
    pub(crate) simulated: String,
    pub(crate) measured: String,
    pub(crate) error: String,
    pub(crate) source: String,
    pub(crate) n: String,
}

pub(crate) fn fidelity(inputs: &Inputs) -> Vec<FidelityView> {
    let views = inputs.fidelity.iter().map(|row| {
        let column = column(row);
        FidelityView {
            name: row.config_name.clone(),
            simulated: format::maybe(&column, row.simulated),
            measured: format::maybe(&column, row.measured),
            error: row.error.map_or(NOTHING.to_owned(), format::percent),
            source: row.source.clone(),
            n: format::count(row.n),
            metric: column,
        }
    });
    views.collect()
}

/// The column of table `trials` that a row is about.
fn column(row: &FidelityRow) -> String {
    if row.statistic == "value" {
        row.metric.clone()
    } else {
        format!("{}_{}_s", row.metric, row.statistic)
    }
}
