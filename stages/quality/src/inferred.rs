use std::collections::{BTreeMap, BTreeSet};

use sbt_engine::{Input, Output, Stage, StageContext, StageError};
use sbt_schemas::{Provenance, QualityRow, Row};
use sbt_trials::Config;
use serde_json::{Value, json};

use crate::effects::Effects;
use crate::estimate::Estimate;
use crate::gates::{Gates, Unknown, absolute_verdict, graver, relative_verdict};

/// Why there is no number.
const NOTHING_FOUND: &str = "no published effect found";

/// What is expected of which model, and what it must keep.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Published {
    pub(crate) model: String,
    pub(crate) gates: Gates,
    pub(crate) unknown: Unknown,
}

/// Expects the scores of every variant from published evaluations.
pub(crate) struct Inferred {
    pub(crate) params: Published,
    /// By their text: the knobs that differ from the reference.
    pub(crate) variants: BTreeMap<String, Config>,
}

impl Stage for Inferred {
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn outputs(&self) -> Vec<Output> {
        vec![Output::table(&QualityRow::TABLE)]
    }

    fn key_params(&self) -> Value {
        let variants: Vec<&String> = self.variants.keys().collect();
        json!({
            "model": self.params.model,
            "variants": variants,
            "gates": self.params.gates,
            "unknown": self.params.unknown,
        })
    }

    fn identity(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("published_effects".to_owned(), Effects::digest())])
    }

    fn run(&self, ctx: &StageContext) -> Result<(), StageError> {
        ctx.write_rows(QualityRow::TABLE.name, &self.rows())
    }
}

impl Inferred {
    fn rows(&self) -> Vec<QualityRow> {
        let Gates { relative, absolute } = &self.params.gates;
        let gated = relative.keys().chain(absolute.keys()).map(String::as_str);
        let mut families: BTreeSet<&str> = gated.chain([QualityRow::OVERALL]).collect();
        let limited = families.clone();
        families.extend(Effects::published().families());
        let mut rows = Vec::new();
        for (variant, config) in &self.variants {
            let of_variant = families
                .iter()
                .map(|family| self.row(variant, config, family));
            rows.extend(of_variant.filter(|row| {
                row.relative.is_some() && row.reference_score.is_some()
                    || limited.contains(row.family.as_str())
            }));
        }
        rows
    }

    fn row(&self, variant: &str, config: &Config, family: &str) -> QualityRow {
        let among = (family != QualityRow::OVERALL).then_some(family);
        let reference = Effects::published().reference(&self.params.model, among);
        let found = self.expect(config, among);
        let relative = found.estimate.map(|estimate| estimate.relative);
        let reference_score = reference.as_ref().map(|(score, _)| *score);
        let score = relative
            .zip(reference_score)
            .map(|(relative, reference)| (relative * reference).min(1.0));
        let gates = &self.params.gates;
        let relative_limit = gates.relative.get(family).copied();
        let absolute_limit = gates.absolute.get(family).copied();
        let unknown = self.params.unknown;
        let source = match reference {
            Some((_, source)) => format!("{}; reference: {source}", found.source),
            None => format!("{}; reference: {NOTHING_FOUND}", found.source),
        };
        QualityRow {
            score,
            reference_score,
            relative,
            relative_lo: found
                .estimate
                .and_then(Estimate::bounds)
                .map(|(low, _)| low),
            relative_limit,
            absolute_limit,
            verdict: graver(
                relative_verdict(found.estimate, found.same_model, relative_limit, unknown),
                absolute_verdict(score, absolute_limit, unknown),
            ),
            ..QualityRow::unknown(variant, family, Provenance::Inferred, source)
        }
    }

    /// The product of the effects of a variant's knobs.
    fn expect(&self, config: &Config, family: Option<&str>) -> Expected {
        let effects = Effects::published();
        let mut expected = Expected {
            estimate: Some(Estimate::UNCHANGED),
            same_model: true,
            source: String::new(),
        };
        let mut sources = Vec::new();
        for (knob, value) in &config.knobs {
            if let Some(because) = effects.unchanged(knob, value) {
                sources.push(format!("{knob}={value}: {because}"));
                continue;
            }
            let evidence = effects.evidence(knob, value, &self.params.model, family);
            let estimate = evidence
                .as_ref()
                .and_then(|e| Estimate::pooled(&e.observations));
            let source = evidence
                .as_ref()
                .map_or(NOTHING_FOUND, |e| e.source.as_str());
            sources.push(format!("{knob}={value}: {source}"));
            expected.same_model &= evidence.as_ref().is_none_or(|e| e.same_model);
            expected.estimate = expected.estimate.zip(estimate).map(|(a, b)| a.times(b));
        }
        expected.source = match sources.len() {
            0 => "the reference itself".to_owned(),
            1 => sources.remove(0),
            _ => format!(
                "{}; effects taken as independent and multiplied",
                sources.join("; ")
            ),
        };
        expected
    }
}

/// What is expected of a variant in one family.
struct Expected {
    estimate: Option<Estimate>,
    /// Whether all of it was seen on the model itself.
    same_model: bool,
    source: String,
}
