use std::collections::BTreeMap;

use sbt_schemas::{Provenance, QualityRow, Verdict};
use sbt_trials::{Config, Knob};

use crate::effects::{Effect, effects_of};
use crate::params::Params;

/// Families of tasks that are looked at, besides `overall`.
const FAMILIES: &[&str] = &["qa", "structured", "code", "summary"];
const OVERALL: &str = "overall";

/// What is expected of one family: the share kept, and what that rests on.
struct Expected {
    kept: Option<f64>,
    source: String,
}

/// Rows of one variant: overall and each family. `quantised` holds its knobs away from their
/// defaults.
pub(crate) fn rows(variant: &str, quantised: &Config, params: &Params) -> Vec<QualityRow> {
    let families: BTreeMap<&str, Expected> =
        FAMILIES.iter().map(|family| (*family, expected(quantised, family))).collect();
    let overall = overall(quantised, &families);
    let mut rows = vec![row(variant, OVERALL, &overall, params)];
    rows.extend(families.iter().map(|(family, expected)| row(variant, family, expected, params)));
    rows
}

/// Effects of several knobs multiply: nobody published their combinations.
fn expected(quantised: &Config, family: &str) -> Expected {
    let mut kept = Some(1.0);
    let mut sources = Vec::new();
    for (knob, value) in &quantised.knobs {
        let value = text(value);
        let effects = effects_of(knob, &value);
        match effects.iter().find(|effect| effect.family == family) {
            Some(effect) => {
                kept = kept.map(|kept| kept * effect.kept);
                sources.push(words(effect));
            }
            None => {
                kept = None;
                sources.push(format!("no published effect of {knob} = {value} on {family} was found"));
            }
        }
    }
    Expected {
        kept,
        source: join(sources),
    }
}

/// The published overall effect of each knob; where there is none, the mean over the families
/// that have one.
fn overall(quantised: &Config, families: &BTreeMap<&str, Expected>) -> Expected {
    let published = expected(quantised, OVERALL);
    if published.kept.is_some() {
        return published;
    }
    let known: Vec<(&str, f64)> =
        families.iter().filter_map(|(family, e)| Some((*family, e.kept?))).collect();
    if known.is_empty() {
        return published;
    }
    let names: Vec<&str> = known.iter().map(|(family, _)| *family).collect();
    Expected {
        kept: Some(known.iter().map(|(_, kept)| kept).sum::<f64>() / known.len() as f64),
        source: format!("mean over the families with a published effect: {}", names.join(", ")),
    }
}

fn join(sources: Vec<String>) -> String {
    match sources.as_slice() {
        [] => "the reference itself".to_owned(),
        [one] => one.clone(),
        several => format!("product of: {}", several.join("; ")),
    }
}

fn words(effect: &Effect) -> String {
    format!("{} ({})", effect.how, effect.source)
}

fn text(value: &Knob) -> String {
    value.to_string()
}

fn row(variant: &str, family: &str, expected: &Expected, params: &Params) -> QualityRow {
    let measured = params.reference_scores.get(family).copied();
    let reference_score = measured.unwrap_or(1.0);
    let score = expected.kept.map(|kept| kept * reference_score);
    let relative_limit = params.gates.relative.get(family).copied();
    let absolute_limit = params.gates.absolute.get(family).copied();
    // A share says nothing about an absolute score.
    let absolute = score.filter(|_| measured.is_some());
    QualityRow {
        variant: variant.to_owned(),
        family: family.to_owned(),
        score,
        reference_score,
        relative: expected.kept,
        relative_lo: None,
        relative_limit,
        absolute_limit,
        verdict: worst(keeps(expected.kept, relative_limit), keeps(absolute, absolute_limit)),
        provenance: Provenance::Inferred,
        source: expected.source.clone(),
    }
}

fn keeps(value: Option<f64>, limit: Option<f64>) -> Verdict {
    match (value, limit) {
        (_, None) => Verdict::Pass,
        (None, Some(_)) => Verdict::Inconclusive,
        (Some(value), Some(limit)) if value >= limit => Verdict::Pass,
        (Some(_), Some(_)) => Verdict::Fail,
    }
}

fn worst(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
        (Verdict::Inconclusive, _) | (_, Verdict::Inconclusive) => Verdict::Inconclusive,
        (Verdict::Pass, Verdict::Pass) => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Gates;

    fn params() -> Params {
        Params {
            server: "vllm".to_owned(),
            space: BTreeMap::new(),
            gates: Gates {
                relative: [("overall", 0.98), ("qa", 0.99), ("structured", 0.99), ("code", 0.97), ("summary", 0.98)]
                    .map(|(family, limit)| (family.to_owned(), limit))
                    .into(),
                absolute: [("structured".to_owned(), 0.98)].into(),
            },
            reference_scores: BTreeMap::new(),
        }
    }

    fn verdicts(knobs: &[(&str, &str)]) -> BTreeMap<String, Verdict> {
        let quantised = Config {
            name: String::new(),
            knobs: knobs.iter().map(|(k, v)| ((*k).to_owned(), Knob::Text((*v).to_owned()))).collect(),
        };
        rows("v", &quantised, &params()).into_iter().map(|row| (row.family, row.verdict)).collect()
    }

    #[test]
    fn reference_keeps_everything_and_an_unmeasured_absolute_score_is_inconclusive() {
        let mut found = verdicts(&[]);
        assert_eq!(found.remove("structured"), Some(Verdict::Inconclusive));
        assert!(found.values().all(|verdict| *verdict == Verdict::Pass));
    }

    #[test]
    fn family_without_a_published_effect_is_inconclusive() {
        let found = verdicts(&[("kv_cache_dtype", "fp8")]);
        assert_eq!(found["qa"], Verdict::Pass);
        assert_eq!(found["code"], Verdict::Pass);
        assert_eq!(found["summary"], Verdict::Inconclusive);
        assert_eq!(found["overall"], Verdict::Pass);
    }

    #[test]
    fn published_losses_beyond_the_limit_fail() {
        assert_eq!(verdicts(&[("quantization", "fp8")])["structured"], Verdict::Fail);
        assert_eq!(verdicts(&[("kv_cache_dtype", "fp8_e5m2")])["code"], Verdict::Fail);
    }

    #[test]
    fn effects_of_two_knobs_multiply() {
        let both = Config {
            name: String::new(),
            knobs: [("quantization", "fp8"), ("kv_cache_dtype", "fp8")]
                .map(|(k, v)| (k.to_owned(), Knob::Text(v.to_owned())))
                .into(),
        };
        let qa = rows("v", &both, &params()).into_iter().find(|row| row.family == "qa").unwrap();
        assert!((qa.relative.unwrap() - 0.9985 * 0.9956).abs() < 1e-12);
    }
}
