use std::collections::BTreeMap;

use handlebars::RenderError;
use sbt_schemas::TrialRow;
use serde::Serialize;

use crate::inputs::Inputs;
use crate::params::Params;
use crate::view::View;

use super::curve::curve;
use super::fidelity::fidelity;
use super::pareto::pareto;
use super::requests::Requests;
use super::tail::tail;
use super::telemetry::telemetry;
use super::trace::search_trace;

/// Trials that are drawn: a page of more would be slow to open.
const DRAWN: usize = 8;

/// Every plot that the inputs have something for.
pub(crate) struct Plots {
    pub(crate) pareto: Option<String>,
    pub(crate) tail: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) fidelity: Option<String>,
    pub(crate) curve: Option<String>,
    /// Of each trial, in the order of the table.
    pub(crate) trials: Vec<Vec<Drawn>>,
    /// What is to be said when some trials are not drawn.
    pub(crate) not_drawn: Option<String>,
}

/// A plot of a trial.
#[derive(Serialize)]
pub(crate) struct Drawn {
    file: String,
    svg: String,
    /// Empty where the plot above says it.
    caption: &'static str,
}

impl Plots {
    pub(crate) fn draw(params: &Params, inputs: &Inputs, view: &View) -> Result<Self, RenderError> {
        let stamp = &view.label;
        let mut trials = Vec::new();
        for (i, trial) in inputs.trials.iter().enumerate() {
            trials.push(if i < DRAWN {
                of_trial(i + 1, trial, inputs)?
            } else {
                Vec::new()
            });
        }
        let parts = if inputs.infers_parts() {
            "INFERRED"
        } else {
            stamp
        };
        let drawn = |has_content: bool, plot: &dyn Fn() -> Result<String, RenderError>| {
            has_content.then(plot).transpose()
        };
        Ok(Self {
            pareto: drawn(inputs.decides, &|| pareto(params, inputs, stamp))?,
            tail: drawn(!inputs.attribution.is_empty(), &|| tail(inputs, parts))?,
            trace: drawn(!inputs.trace.is_empty(), &|| search_trace(inputs, stamp))?,
            fidelity: fidelity(&inputs.fidelity, "SIMULATED AGAINST MEASURED")?,
            curve: curve(&inputs.rate_curve, stamp)?,
            not_drawn: (trials.len() > DRAWN).then(|| {
                format!("Plots are of the first {DRAWN} trials; the tables have all of them.")
            }),
            trials,
        })
    }

    /// All of them by path.
    pub(crate) fn into_files(self) -> BTreeMap<String, String> {
        let named = [
            ("pareto", self.pareto),
            ("tail", self.tail),
            ("search_trace", self.trace),
            ("fidelity", self.fidelity),
            ("rate_curve", self.curve),
        ];
        let named = named.into_iter();
        let named = named.filter_map(|(name, plot)| Some((name.to_owned(), plot?)));
        let of_trials = self.trials.into_iter().flatten();
        let of_trials = of_trials.map(|drawn| (drawn.file, drawn.svg));
        named
            .chain(of_trials)
            .map(|(name, plot)| (format!("plots/{name}.svg"), plot))
            .collect()
    }
}

fn of_trial(number: usize, trial: &TrialRow, inputs: &Inputs) -> Result<Vec<Drawn>, RenderError> {
    let stamp = trial.provenance.to_string().to_uppercase();
    let stem = format!("{number:02}-{}", trial.config_name);
    let id = |name: &str| format!("trial-{number}-{name}");
    let requests = Requests::of(&trial.trial_key, &inputs.requests);
    let of_requests = [
        (
            "latency",
            requests.over_time(id("latency"), &stamp)?,
            "Each finished request at its intended send; failed ones stand at the upper edge.",
        ),
        (
            "ecdf",
            requests.ecdf(id("ecdf"), &stamp)?,
            "Share of the requests that had their first token, and their last, within a latency; \
             failed requests never did.",
        ),
    ];
    let mut drawn: Vec<Drawn> = of_requests
        .into_iter()
        .filter_map(|(name, svg, caption)| {
            Some(Drawn {
                file: format!("{stem}-{name}"),
                svg: svg?,
                caption,
            })
        })
        .collect();
    let strips = telemetry(&trial.trial_key, &inputs.telemetry, &id("server"), &stamp)?;
    for (i, (name, svg)) in strips.into_iter().enumerate() {
        let caption = "What the server showed of itself during the trial.";
        drawn.push(Drawn {
            file: format!("{stem}-{name}"),
            svg,
            caption: if i == 0 { caption } else { "" },
        });
    }
    Ok(drawn)
}
