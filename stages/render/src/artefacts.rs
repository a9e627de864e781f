use std::collections::BTreeMap;

use handlebars::RenderError;
use sbt_trials::ServerSpec;
use serde::Serialize;
use serde_json::{Value, json};

use crate::inputs::Inputs;
use crate::params::Params;
use crate::plot::{Drawn, Plots};
use crate::rollout;
use crate::templates::fill;
use crate::view::{TrialView, View, summary};

/// Every template's text: what the artefacts depend on besides tables and parameters.
pub(crate) const TEMPLATES: &[&str] = &[
    include_str!("../templates/style.html.hbs"),
    include_str!("../templates/report.html.hbs"),
    include_str!("../templates/recorded.html.hbs"),
    include_str!("../templates/recorded.md.hbs"),
    include_str!("../templates/report.md.hbs"),
    include_str!("../templates/comparison.md.hbs"),
    include_str!("../templates/stability.md.hbs"),
    include_str!("../templates/capacity_plan.md.hbs"),
    include_str!("../templates/README_snippet.md.hbs"),
    include_str!("../templates/card.md.hbs"),
    include_str!("../templates/deploy/serve.sh.hbs"),
    include_str!("../templates/deploy/unit.service.hbs"),
    include_str!("../templates/deploy/compose.yaml.hbs"),
    include_str!("../templates/deploy/kubernetes.yaml.hbs"),
    include_str!("../templates/deploy/production-stack.yaml.hbs"),
    include_str!("../templates/deploy/kserve.yaml.hbs"),
    include_str!("../templates/deploy/alerts.yaml.hbs"),
    include_str!("../templates/pareto.svg.hbs"),
    include_str!("../templates/tail.svg.hbs"),
    include_str!("../templates/search_trace.svg.hbs"),
    include_str!("../templates/chart.svg.hbs"),
];

/// Everything that the results folder holds besides the tables, by path. What the inputs have
/// nothing for is left out.
pub(crate) fn all(
    pipeline: &str,
    params: &Params,
    inputs: &Inputs,
    server: &ServerSpec,
) -> Result<BTreeMap<String, Vec<u8>>, RenderError> {
    let view = View::new(pipeline, params, inputs, server);
    let plots = Plots::draw(params, inputs, &view)?;
    let page = Page {
        view: &view,
        pareto: plots.pareto.as_deref(),
        tail: plots.tail.as_deref(),
        trace: plots.trace.as_deref(),
        fidelity: plots.fidelity.as_deref(),
        curve: plots.curve.as_deref(),
        trials: view
            .trials
            .iter()
            .zip(&plots.trials)
            .map(TrialPage::of)
            .collect(),
        not_drawn: plots.not_drawn.as_deref(),
    };
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    files.insert("report.html".to_owned(), fill("report.html", &page)?);
    for (name, has_content) in [
        ("report.md", true),
        ("README_snippet.md", true),
        ("comparison.md", view.decides),
        ("stability.md", !view.stability.is_empty()),
        ("capacity_plan.md", !view.plan.is_empty()),
    ] {
        if has_content {
            files.insert(name.to_owned(), fill(name, &view)?);
        }
    }
    for card in &view.cards {
        let stem = format!("cards/{:02}-{}", card.place, card.name);
        let shown = with_label(json!(card), &view);
        files.insert(format!("{stem}.md"), fill("card.md", &shown)?);
        files.insert(format!("{stem}.json"), pretty(&shown));
    }
    files.extend(rollout::files(&view, params, inputs, server)?);
    let summary = summary(pipeline, params, inputs);
    files.insert("summary.json".to_owned(), pretty(&json!(summary)));
    files.extend(plots.into_files());
    Ok(files
        .into_iter()
        .map(|(path, text)| (path, text.into_bytes()))
        .collect())
}

/// The report page: the view, and the plots to put in line.
#[derive(Serialize)]
struct Page<'a> {
    view: &'a View,
    pareto: Option<&'a str>,
    tail: Option<&'a str>,
    trace: Option<&'a str>,
    fidelity: Option<&'a str>,
    curve: Option<&'a str>,
    trials: Vec<TrialPage<'a>>,
    not_drawn: Option<&'a str>,
}

/// A trial with its plots.
#[derive(Serialize)]
struct TrialPage<'a> {
    view: &'a TrialView,
    plots: &'a [Drawn],
}

impl<'a> TrialPage<'a> {
    fn of((view, plots): (&'a TrialView, &'a Vec<Drawn>)) -> Self {
        Self { view, plots }
    }
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

#[cfg(test)]
mod tests {
    use sbt_schemas::{Provenance, Summary};

    use super::*;
    use crate::samples::{fidelity, measurement, params, part};

    fn drawn(inputs: &Inputs) -> BTreeMap<String, String> {
        let params = params();
        let server = params.backend().server().unwrap();
        let files = all("measure", &params, inputs, &server).unwrap();
        let texts = files.into_iter();
        texts
            .map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap()))
            .collect()
    }

    #[test]
    fn measurement_has_what_it_has_content_for() {
        let files = drawn(&measurement());
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "README_snippet.md",
                "plots/01-endpoint-ecdf.svg",
                "plots/01-endpoint-latency.svg",
                "plots/01-endpoint-memory.svg",
                "plots/01-endpoint-requests.svg",
                "report.html",
                "report.md",
                "summary.json",
            ]
        );
        for (name, text) in &files {
            assert!(text.to_lowercase().contains("measured"), "{name}");
            assert!(
                !text.contains("recommended.") && !text.contains("NaN"),
                "{name}"
            );
        }
        let page = &files["report.html"];
        assert_eq!(page.matches("<svg").count(), 4);
        assert!(page.contains("unexpected end | of stream"));
        assert!(files["report.md"].contains("unexpected end \\| of stream"));
    }

    #[test]
    fn inferred_parts_are_stamped_so() {
        let mut inputs = measurement();
        inputs.attribution = vec![part("measured")];
        assert!(drawn(&inputs)["plots/tail.svg"].contains(">MEASURED<"));
        inputs.attribution = vec![part("inferred")];
        assert!(drawn(&inputs)["plots/tail.svg"].contains(">INFERRED<"));
    }

    #[test]
    fn summary_of_a_measurement_has_its_trials() {
        let files = drawn(&measurement());
        let summary: Summary = serde_json::from_str(&files["summary.json"]).unwrap();
        assert_eq!(summary.provenance, Provenance::Measured);
        let [only] = &summary.measurements[..] else {
            panic!("{} measurements", summary.measurements.len());
        };
        assert_eq!((only.n, only.n_ok), (200, 190));
        assert_eq!(only.ttft.p50.value_s, Some(0.0123));
        assert_eq!(
            (only.ttft.p99.value_s, only.ttft.p99.finished_s),
            (None, Some(0.21))
        );
    }

    #[test]
    fn fidelity_is_a_table_and_a_scatter() {
        let mut inputs = measurement();
        inputs.fidelity = vec![
            fidelity("ttft", "p50", 0.011, 0.0123),
            fidelity("tok_s", "value", 900.0, 812.0),
        ];
        let files = drawn(&inputs);
        let page = &files["report.html"];
        assert!(page.contains("Simulated against measured"));
        assert!(page.contains("<code>ttft_p50_s</code>") && page.contains("-10.6 %"));
        let scatter = &files["plots/fidelity.svg"];
        assert!(
            scatter.contains(">1 pair<"),
            "tokens/s stand in no plane of seconds"
        );
    }
}
