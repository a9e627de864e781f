use std::collections::{BTreeMap, BTreeSet};

use sbt_engine::{
    Input, Output, ParamError, Stage, StageContext, StageError, StageKind, parse_params,
};
use sbt_schemas::{Provenance, QualityRow, Row};
use sbt_trials::{Config, ServerSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::effects::Effects;
use crate::estimate::Estimate;
use crate::gates::{Gates, Unknown, absolute_verdict, graver, relative_verdict};
use crate::space::variants;

/// Why there is no number.
const NOTHING_FOUND: &str = "no published effect found";

/// Expects the scores of every variant of a space from published evaluations.
pub struct QualityKind;

/// `with` of a quality stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Server whose knobs the space names; its file says which of them can change answers.
    server: String,
    /// Name of the model. Published effects on this model count; those on others stand in where
    /// there are none, and then decide nothing in a variant's favour.
    model: String,
    /// The space of the search. Of it count the knobs that can change answers and are a choice or
    /// a switch: every combination of their values is a variant.
    space: Map<String, Value>,
    /// Limits by task family.
    #[serde(default)]
    gates: Gates,
    /// What a limit makes of a family that nothing is published about.
    #[serde(default)]
    unknown: Unknown,
}

impl StageKind for QualityKind {
    fn name(&self) -> &'static str {
        "quality"
    }

    fn about(&self) -> &'static str {
        "expects how much of the answers' quality each variant keeps, from published evaluations"
    }

    fn revision(&self) -> u32 {
        1
    }

    fn params(&self) -> schemars::Schema {
        schemars::schema_for!(Params)
    }

    fn example(&self) -> &'static str {
        r#"
server = "vllm"
model = "llama-3.1-8b"
unknown = "inconclusive"

[space]
quantization = { kind = "choice", values = ["none", "fp8"] }
kv_cache_dtype = { kind = "choice", values = ["auto", "fp8"] }

[gates]
relative = { overall = 0.98, qa = 0.99, structured = 0.99, code = 0.97, summary = 0.98 }
absolute = { structured = 0.98 }
"#
    }

    fn plan(&self, with: &Value) -> Result<Box<dyn Stage>, Vec<ParamError>> {
        let params: Params = parse_params(with)?;
        let mut problems = params.gates.problems("gates");
        let variants = match ServerSpec::named(&params.server) {
            Ok(server) => variants(server, &params.space, "space"),
            Err(message) => Err(vec![ParamError::at(&["server"], message)]),
        };
        match variants {
            Ok(variants) if problems.is_empty() => Ok(Box::new(Quality { params, variants })),
            Ok(_) => Err(problems),
            Err(errors) => {
                problems.extend(errors);
                Err(problems)
            }
        }
    }
}

struct Quality {
    params: Params,
    /// By their text: the knobs that differ from the reference.
    variants: BTreeMap<String, Config>,
}

impl Stage for Quality {
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

impl Quality {
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
            variant: variant.to_owned(),
            family: family.to_owned(),
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
            provenance: Provenance::Inferred,
            source,
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

#[cfg(test)]
mod tests;
