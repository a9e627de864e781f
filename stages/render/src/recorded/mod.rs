//! The report of a recorded run: what each source of step times said of it, and what was measured.

mod plots;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeMap;

use handlebars::RenderError;
use sbt_engine::{StageContext, StageError};
use sbt_schemas::{CalibrationRow, FidelityRow, PredictionRow, Provenance, Summary};
use serde::Serialize;
use serde_json::json;

use crate::templates::fill;
use view::View;

/// The tables that it is made of.
pub(crate) struct Tables {
    pub(crate) fidelity: Vec<FidelityRow>,
    pub(crate) predictions: Vec<PredictionRow>,
    pub(crate) calibration: Vec<CalibrationRow>,
}

#[derive(Serialize)]
struct Page<'a> {
    view: &'a View,
    plots: &'a [plots::Drawn],
}

/// The tables, when they are wired; none for a report of another kind.
pub(crate) fn tables(ctx: &StageContext) -> Result<Option<Tables>, StageError> {
    let Some(predictions) = ctx.rows_if_wired("predictions")? else {
        return Ok(None);
    };
    let tables = Tables {
        fidelity: ctx.rows_if_wired("fidelity")?.unwrap_or_default(),
        predictions,
        calibration: ctx.rows_if_wired("calibration")?.unwrap_or_default(),
    };
    if tables.fidelity.is_empty() || tables.predictions.is_empty() {
        return Err(StageError::user(
            "nothing was compared: `fidelity` and `predictions` must be wired and have rows",
        ));
    }
    Ok(Some(tables))
}

/// Everything that the results folder holds besides the tables, by path.
pub(crate) fn files(
    pipeline: &str,
    title: Option<&str>,
    tables: &Tables,
) -> Result<BTreeMap<String, Vec<u8>>, RenderError> {
    let view = View::new(pipeline, title.unwrap_or(pipeline), tables);
    let plots = plots::all(&tables.predictions)?;
    let page = Page {
        view: &view,
        plots: &plots,
    };
    let summary = summary(pipeline, tables);
    let mut files = BTreeMap::from([
        ("report.html".to_owned(), fill("recorded.html", &page)?),
        ("report.md".to_owned(), fill("recorded.md", &view)?),
        ("summary.json".to_owned(), format!("{:#}\n", json!(summary))),
    ]);
    for plot in plots {
        files.insert(format!("plots/{}.svg", plot.file), plot.svg);
    }
    let bytes = files.into_iter();
    Ok(bytes
        .map(|(path, text)| (path, text.into_bytes()))
        .collect())
}

fn summary(pipeline: &str, tables: &Tables) -> Summary {
    Summary {
        pipeline: pipeline.to_owned(),
        provenance: Provenance::Simulated,
        backend: view::run_name(tables),
        baseline: String::new(),
        recommended: None,
        effects: Vec::new(),
        verdicts: BTreeMap::new(),
        plan: None,
        samplers: Vec::new(),
        measurements: Vec::new(),
        fidelity: view::summaries(&tables.fidelity),
    }
}
