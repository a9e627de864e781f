use std::collections::BTreeMap;

use handlebars::RenderError;
use sbt_trials::ServerSpec;
use serde::Serialize;
use serde_json::{Value, json};

use crate::inputs::Inputs;
use crate::params::Params;
use crate::plot;
use crate::templates::fill;
use crate::view::{View, summary};

/// Every template's text: what the artefacts depend on besides tables and parameters.
pub(crate) const TEMPLATES: &[&str] = &[
    include_str!("../templates/report.html.hbs"),
    include_str!("../templates/report.md.hbs"),
    include_str!("../templates/comparison.md.hbs"),
    include_str!("../templates/stability.md.hbs"),
    include_str!("../templates/capacity_plan.md.hbs"),
    include_str!("../templates/README_snippet.md.hbs"),
    include_str!("../templates/card.md.hbs"),
    include_str!("../templates/deploy.sh.hbs"),
    include_str!("../templates/pareto.svg.hbs"),
    include_str!("../templates/tail.svg.hbs"),
    include_str!("../templates/search_trace.svg.hbs"),
];

/// Everything that the results folder holds besides the tables, by path.
pub(crate) fn all(
    pipeline: &str,
    params: &Params,
    inputs: &Inputs,
    server: &ServerSpec,
) -> Result<BTreeMap<String, Vec<u8>>, RenderError> {
    let view = View::new(pipeline, params, inputs, server);
    let summary = summary(pipeline, params, inputs);
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let pareto = plot::pareto(params, inputs, &view.label)?;
    let tail = plot::tail(inputs, &view.label)?;
    let trace = plot::search_trace(inputs, &view.label)?;
    let page = Page {
        view: &view,
        pareto: &pareto,
        tail: &tail,
        trace: &trace,
    };
    files.insert("report.html".to_owned(), fill("report.html", &page)?);
    for name in [
        "report.md",
        "comparison.md",
        "stability.md",
        "capacity_plan.md",
        "README_snippet.md",
    ] {
        files.insert(name.to_owned(), fill(name, &view)?);
    }
    for card in &view.cards {
        let stem = format!("cards/{:02}-{}", card.place, card.name);
        let shown = with_label(json!(card), &view);
        files.insert(format!("{stem}.md"), fill("card.md", &shown)?);
        files.insert(format!("{stem}.json"), pretty(&shown));
    }
    if view.answer.is_some() {
        files.insert(
            format!("deploy/{}-serve.sh", server.name),
            fill("deploy.sh", &view)?,
        );
    }
    files.insert("plots/pareto.svg".to_owned(), pareto);
    files.insert("plots/tail.svg".to_owned(), tail);
    files.insert("plots/search_trace.svg".to_owned(), trace);
    files.insert("summary.json".to_owned(), pretty(&json!(summary)));
    Ok(files
        .into_iter()
        .map(|(path, text)| (path, text.into_bytes()))
        .collect())
}

/// The report page: the view, and the plots to put in line.
#[derive(Serialize)]
struct Page<'a> {
    view: &'a View,
    pareto: &'a str,
    tail: &'a str,
    trace: &'a str,
}

fn with_label(mut card: Value, view: &View) -> Value {
    card["provenance"] = json!(view.provenance);
    card["label"] = json!(view.label);
    card["pipeline"] = json!(view.pipeline);
    card["backend"] = json!(view.backend);
    card
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
