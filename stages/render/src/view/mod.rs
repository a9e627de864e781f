//! The one view of the tables that every artefact shows.

mod answer;
mod capacity;
mod card;
mod effects;
mod fidelity;
mod latency;
mod measured;
mod method;
mod samplers;
mod summary;
mod tables;

use sbt_schemas::Provenance;
use sbt_trials::ServerSpec;
use serde::Serialize;

use crate::inputs::Inputs;
use crate::params::Params;

pub(crate) use answer::{Answer, config};
pub(crate) use card::Card;
pub(crate) use measured::TrialView;
pub(crate) use summary::summary;
pub(crate) use tables::whom;

/// Everything that the artefacts show, as text.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) title: String,
    pub(crate) pipeline: String,
    /// `simulated`, `measured` or `inferred`.
    pub(crate) provenance: String,
    /// The same in capitals, for banners.
    pub(crate) label: String,
    /// Which figures that is true of.
    pub(crate) banner: String,
    /// How far to rely on it.
    pub(crate) trust: &'static str,
    pub(crate) backend: String,
    /// Whether something was to be decided; else this is a measurement.
    pub(crate) decides: bool,
    pub(crate) answer: Option<Answer>,
    pub(crate) nothing: Vec<String>,
    pub(crate) broken: Vec<String>,
    pub(crate) baseline: String,
    pub(crate) effects: Vec<effects::EffectView>,
    pub(crate) verdicts: Vec<tables::VerdictView>,
    pub(crate) plan: Vec<capacity::PlanView>,
    pub(crate) sensitivity: Vec<capacity::SensitivityView>,
    pub(crate) rates: Vec<capacity::RateView>,
    pub(crate) samplers: Vec<samplers::SamplerView>,
    pub(crate) samplers_say: String,
    pub(crate) cards: Vec<Card>,
    pub(crate) tail: Vec<tables::TailView>,
    pub(crate) counterfactual: Vec<tables::CounterfactualView>,
    /// Whether its parts are inferred.
    pub(crate) infers_parts: bool,
    pub(crate) comparison: Vec<tables::ComparisonView>,
    pub(crate) stability: Vec<tables::StabilityView>,
    pub(crate) quality: Vec<tables::QualityView>,
    pub(crate) outcomes: Vec<tables::OutcomeView>,
    pub(crate) trials: Vec<TrialView>,
    /// Heading of the section of the trials.
    pub(crate) measured: &'static str,
    pub(crate) fidelity: Vec<fidelity::FidelityView>,
    pub(crate) method: Vec<method::Fact>,
}

impl View {
    pub(crate) fn new(
        pipeline: &str,
        params: &Params,
        inputs: &Inputs,
        server: &ServerSpec,
    ) -> Self {
        let provenance = inputs.provenance().to_string();
        let cards = card::cards(params, inputs, server);
        Self {
            title: params.title.clone().unwrap_or_else(|| pipeline.to_owned()),
            pipeline: pipeline.to_owned(),
            label: provenance.to_uppercase(),
            banner: banner(params, inputs),
            trust: method::trust(inputs),
            provenance,
            backend: params.backend().words(),
            decides: inputs.decides,
            answer: cards.first().map(answer::answer),
            nothing: answer::nothing(inputs),
            broken: tables::broken(inputs),
            baseline: inputs
                .baseline()
                .map_or(String::new(), |row| row.config_name.clone()),
            effects: effects::effects(params, inputs),
            verdicts: tables::verdicts(inputs),
            plan: capacity::plan(inputs),
            sensitivity: capacity::sensitivity(inputs),
            rates: capacity::rates(inputs),
            samplers: samplers::samplers(inputs),
            samplers_say: samplers::comparison(inputs),
            cards,
            tail: tables::tail(inputs),
            counterfactual: tables::counterfactual(inputs),
            infers_parts: inputs.infers_parts(),
            comparison: tables::comparison(inputs),
            stability: tables::stability(inputs),
            quality: tables::quality(inputs),
            outcomes: tables::outcomes(inputs),
            trials: measured::trials(params, inputs),
            measured: measured::heading(inputs),
            fidelity: fidelity::fidelity(inputs),
            method: method::facts(params, inputs),
        }
    }
}

/// Where the figures of the report come from, with those that do not.
fn banner(params: &Params, inputs: &Inputs) -> String {
    let provenance = inputs.provenance();
    let trial = inputs.trials.first().map(|row| row.provenance);
    let mut but = Vec::new();
    if trial.is_some_and(|trial| trial != provenance) {
        but.push(format!("those under “{}”", measured::heading(inputs)));
    }
    if inputs.infers_parts() {
        but.push("the parts of E2E, which are inferred".to_owned());
    }
    if !inputs.fidelity.is_empty() {
        let side = match provenance {
            Provenance::Measured => "simulated",
            Provenance::Simulated | Provenance::Inferred => "measured",
        };
        but.push(format!("the {side} side of “Simulated against measured”"));
    }
    let but = if but.is_empty() {
        String::new()
    } else {
        format!(", but for {}", but.join(", and "))
    };
    let backend = params.backend().words();
    format!("every performance figure here is {provenance}{but}: {backend}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{fidelity, measurement, params, part};

    #[test]
    fn banner_names_the_figures_of_another_origin() {
        let mut inputs = measurement();
        let said = banner(&params(), &inputs);
        assert!(
            said.starts_with("every performance figure here is measured: "),
            "{said}"
        );
        inputs.attribution = vec![part("inferred")];
        inputs.fidelity = vec![fidelity("ttft", "p50", 0.011, 0.0123)];
        let said = banner(&params(), &inputs);
        let but =
            "measured, but for the parts of E2E, which are inferred, and the simulated side of";
        assert!(said.contains(but), "{said}");
    }

    #[test]
    fn measured_figures_are_not_said_to_be_simulated() {
        let facts = method::facts(&params(), &measurement());
        let limits = facts.iter().find(|fact| fact.what == "limits").unwrap();
        assert!(limits.text.contains("measured on a real server"));
        assert!(!facts.iter().any(|fact| fact.text.contains("simulator")));
        assert!(
            !facts.iter().any(|fact| fact.what == "seeds"),
            "nothing was searched"
        );
    }
}
