//! The one view of the tables that every artefact shows.

mod answer;
mod effects;
mod method;
mod samplers;
mod summary;
mod tables;

use sbt_trials::ServerSpec;
use serde::Serialize;

use crate::inputs::Inputs;
use crate::params::Params;

pub(crate) use answer::{Answer, Card};
pub(crate) use summary::summary;

/// Everything that the artefacts show, as text.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    pub(crate) title: String,
    pub(crate) pipeline: String,
    /// `simulated`, `measured` or `inferred`.
    pub(crate) provenance: String,
    /// The same in capitals, for banners.
    pub(crate) label: String,
    pub(crate) backend: String,
    pub(crate) answer: Option<Answer>,
    pub(crate) nothing: Vec<String>,
    pub(crate) broken: Vec<String>,
    pub(crate) baseline: String,
    pub(crate) effects: Vec<effects::EffectView>,
    pub(crate) verdicts: Vec<tables::VerdictView>,
    pub(crate) plan: Vec<tables::PlanView>,
    pub(crate) samplers: Vec<samplers::SamplerView>,
    pub(crate) samplers_say: String,
    pub(crate) cards: Vec<Card>,
    pub(crate) tail: Vec<tables::TailView>,
    pub(crate) comparison: Vec<tables::ComparisonView>,
    pub(crate) stability: Vec<tables::StabilityView>,
    pub(crate) quality: Vec<tables::QualityView>,
    pub(crate) outcomes: Vec<tables::OutcomeView>,
    pub(crate) method: Vec<method::Fact>,
}

impl View {
    pub(crate) fn new(
        pipeline: &str,
        params: &Params,
        inputs: &Inputs,
        server: &ServerSpec,
    ) -> Self {
        let first = inputs.candidates.first();
        let provenance = first.map_or("inferred".to_owned(), |row| row.provenance.to_string());
        let cards = answer::cards(params, inputs, server);
        Self {
            title: params.title.clone().unwrap_or_else(|| pipeline.to_owned()),
            pipeline: pipeline.to_owned(),
            label: provenance.to_uppercase(),
            provenance,
            backend: params.backend.words(),
            answer: cards.first().map(answer::answer),
            nothing: answer::nothing(inputs),
            broken: tables::broken(inputs),
            baseline: inputs
                .baseline()
                .map_or(String::new(), |row| row.config_name.clone()),
            effects: effects::effects(params, inputs),
            verdicts: tables::verdicts(inputs),
            plan: tables::plan(inputs),
            samplers: samplers::samplers(inputs),
            samplers_say: samplers::comparison(inputs),
            cards,
            tail: tables::tail(inputs),
            comparison: tables::comparison(inputs),
            stability: tables::stability(inputs),
            quality: tables::quality(inputs),
            outcomes: tables::outcomes(inputs),
            method: method::facts(params, inputs),
        }
    }
}
