use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use sbt_engine::Digest;
use sbt_trials::Knob;
use serde::Deserialize;

const TEXT: &str = include_str!("../data/effects.toml");

static PUBLISHED: LazyLock<Effects> =
    LazyLock::new(|| toml::from_str(TEXT).expect("a test reads the embedded file"));

/// Published effects: `data/effects.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Effects {
    sources: BTreeMap<String, Source>,
    benchmarks: BTreeMap<String, Benchmark>,
    references: BTreeMap<String, Reference>,
    unchanged: Vec<Unchanged>,
    effects: Vec<Effect>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    title: String,
    by: String,
    year: u32,
    url: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Benchmark {
    name: String,
    family: String,
    /// Size of the test set; none when the score is no share of items.
    items: Option<u64>,
}

/// Scores of a model as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    source: String,
    scores: BTreeMap<String, f64>,
}

/// A value that changes no answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchanged {
    knob: String,
    value: Knob,
    because: String,
}

/// What one source says of one setting on one model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Effect {
    knob: String,
    values: Vec<Knob>,
    model: String,
    source: String,
    /// Reference and quantised score by benchmark.
    #[serde(default)]
    scores: BTreeMap<String, [f64; 2]>,
    /// Quantised over reference score by benchmark, where only that is published.
    #[serde(default)]
    recoveries: BTreeMap<String, f64>,
}

/// One benchmark with and without a setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Observation {
    /// Quantised over reference score.
    pub(crate) recovery: f64,
    /// Reference score, when published.
    pub(crate) reference: Option<f64>,
    /// Items behind each of the two scores, when they are shares of items.
    pub(crate) items: Option<u64>,
}

/// Everything published about one setting and one family.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Evidence {
    pub(crate) observations: Vec<Observation>,
    /// Benchmarks, models and addresses in words.
    pub(crate) source: String,
    /// Whether it comes from the model itself, not from others.
    pub(crate) same_model: bool,
}

impl Effects {
    /// The embedded file.
    pub(crate) fn published() -> &'static Self {
        &PUBLISHED
    }

    /// Digest of the embedded file, for keys.
    pub(crate) fn digest() -> String {
        Digest::of(TEXT.as_bytes()).short()
    }

    /// Task families that have a benchmark.
    pub(crate) fn families(&self) -> BTreeSet<&str> {
        self.benchmarks
            .values()
            .map(|b| b.family.as_str())
            .collect()
    }

    /// Why a setting changes no answer, if it does not.
    pub(crate) fn unchanged(&self, knob: &str, value: &Knob) -> Option<&str> {
        let found = self.unchanged.iter();
        let mut found = found.filter(|entry| entry.knob == knob && entry.value == *value);
        found.next().map(|entry| entry.because.as_str())
    }

    /// What is published about a setting and a family (none: every family): on the model itself,
    /// else on others.
    pub(crate) fn evidence(
        &self,
        knob: &str,
        value: &Knob,
        model: &str,
        family: Option<&str>,
    ) -> Option<Evidence> {
        let about = self.effects.iter();
        let about: Vec<&Effect> = about
            .filter(|effect| effect.knob == knob && effect.values.contains(value))
            .collect();
        let of = |same_model: bool| {
            let effects = about.iter().copied();
            let effects: Vec<&Effect> = effects
                .filter(|effect| (effect.model == model) == same_model)
                .collect();
            self.gather(&effects, family, same_model)
        };
        of(true).or_else(|| of(false))
    }

    fn gather(
        &self,
        effects: &[&Effect],
        family: Option<&str>,
        same_model: bool,
    ) -> Option<Evidence> {
        let mut evidence = Evidence {
            same_model,
            ..Evidence::default()
        };
        let mut sources = Vec::new();
        for effect in effects {
            let observations = self.observations(effect, family);
            if !observations.is_empty() {
                sources.push(self.citation(effect, &observations));
                let observations = observations.into_values();
                evidence.observations.extend(observations);
            }
        }
        evidence.source = sources.join("; ");
        (!evidence.observations.is_empty()).then_some(evidence)
    }

    fn observations<'a>(
        &'a self,
        effect: &'a Effect,
        family: Option<&str>,
    ) -> BTreeMap<&'a str, Observation> {
        let scores = effect.scores.iter();
        let scores = scores
            .map(|(id, [reference, quantised])| (id, quantised / reference, Some(*reference)));
        let references = self.references.get(&effect.model);
        let recoveries = effect.recoveries.iter().map(|(id, recovery)| {
            let reference = references.and_then(|r| r.scores.get(id));
            (id, *recovery, reference.copied())
        });
        scores
            .chain(recoveries)
            .filter_map(|(id, recovery, reference)| {
                let benchmark = &self.benchmarks[id];
                // Over every family only what can be pooled counts: shares of items.
                let counts = match family {
                    Some(family) => benchmark.family == family,
                    None => benchmark.items.is_some() && reference.is_some(),
                };
                let observation = Observation {
                    recovery,
                    reference,
                    items: benchmark.items,
                };
                counts.then_some((id.as_str(), observation))
            })
            .collect()
    }

    fn citation(&self, effect: &Effect, observations: &BTreeMap<&str, Observation>) -> String {
        let names = observations.keys();
        let names: Vec<&str> = names.map(|id| self.benchmarks[*id].name.as_str()).collect();
        format!(
            "{} on {} ({})",
            names.join(", "),
            effect.model,
            self.reference_text(&effect.source)
        )
    }

    fn reference_text(&self, source: &str) -> String {
        let source = &self.sources[source];
        format!(
            "{}: {}, {}, {}",
            source.by, source.title, source.year, source.url
        )
    }

    /// Score of a model as it is over a family (none: every family), pooled over items, and where
    /// it is published.
    pub(crate) fn reference(&self, model: &str, family: Option<&str>) -> Option<(f64, String)> {
        let reference = self.references.get(model)?;
        let mut right = 0.0;
        let mut items = 0.0;
        for (id, score) in &reference.scores {
            let benchmark = &self.benchmarks[id];
            if let Some(n) = benchmark.items
                && family.is_none_or(|family| benchmark.family == family)
            {
                right += score * n as f64;
                items += n as f64;
            }
        }
        (items > 0.0).then(|| (right / items, self.reference_text(&reference.source)))
    }
}

#[cfg(test)]
mod tests {
    use sbt_trials::ServerSpec;

    use super::*;

    #[test]
    fn embedded_file_refers_only_to_what_it_has() {
        let effects = Effects::published();
        for effect in &effects.effects {
            assert!(effects.sources.contains_key(&effect.source));
            let ids = effect.scores.keys().chain(effect.recoveries.keys());
            assert!(ids.clone().count() > 0, "{effect:?} says nothing");
            for id in ids {
                assert!(effects.benchmarks.contains_key(id), "{id}");
            }
        }
        for reference in effects.references.values() {
            assert!(effects.sources.contains_key(&reference.source));
            let known = |id: &String| effects.benchmarks.contains_key(id);
            assert!(reference.scores.keys().all(known));
        }
        assert!(
            effects
                .sources
                .values()
                .all(|s| s.url.starts_with("https://"))
        );
    }

    #[test]
    fn every_setting_is_one_that_the_server_takes() {
        let vllm = ServerSpec::named("vllm").unwrap();
        let effects = Effects::published();
        let settings = effects.effects.iter();
        let settings = settings.flat_map(|e| e.values.iter().map(|value| (&e.knob, value)));
        let unchanged = effects.unchanged.iter().map(|e| (&e.knob, &e.value));
        for (knob, value) in settings.chain(unchanged) {
            assert_eq!(vllm.check(knob, value), Ok(()), "{knob} = {value}");
            assert!(vllm.knobs[knob].quality, "{knob}");
        }
    }

    #[test]
    fn published_scores_agree_with_the_recoveries_that_their_sources_print() {
        let fp8 = Knob::Text("fp8".to_owned());
        let found = Effects::published().evidence("quantization", &fp8, "llama-3.1-8b", Some("qa"));
        let found = found.unwrap();
        let printed = [0.9959, 0.9898, 0.9993, 1.0, 0.9894, 0.9930];
        let recoveries: Vec<f64> = found.observations.iter().map(|o| o.recovery).collect();
        for (computed, printed) in recoveries.iter().zip(printed) {
            assert!((computed - printed).abs() < 1e-3, "{computed} {printed}");
        }
        assert!(found.same_model);
    }

    #[test]
    fn evidence_of_other_models_stands_in_and_says_so() {
        let fp8 = Knob::Text("fp8".to_owned());
        let effects = Effects::published();
        let kv = effects.evidence("kv_cache_dtype", &fp8, "llama-3.1-8b", None);
        let kv = kv.unwrap();
        assert!(!kv.same_model && kv.source.contains("qwen3-235b-a22b"));
        let code = effects.evidence("kv_cache_dtype", &fp8, "llama-3.1-8b", Some("code"));
        assert_eq!(code, None);
        let unknown = Knob::Text("awq".to_owned());
        assert_eq!(
            effects.evidence("quantization", &unknown, "llama-3.1-8b", None),
            None
        );
    }
}
