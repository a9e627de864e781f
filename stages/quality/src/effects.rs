use std::sync::LazyLock;

use serde::Deserialize;

pub(crate) const DATA: &str = include_str!("../data/effects.toml");
static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(DATA).expect("the embedded effects are tested to parse"));

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    effects: Vec<Effect>,
    aliases: Vec<Alias>,
}

/// What a knob's value does to one task family.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Effect {
    pub(crate) knob: String,
    pub(crate) value: String,
    pub(crate) family: String,
    /// Share of the reference's score that is kept.
    pub(crate) kept: f64,
    /// How `kept` follows from what was published.
    pub(crate) how: String,
    pub(crate) source: String,
}

/// A value that means another one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alias {
    knob: String,
    value: String,
    means: String,
}

/// Every published effect of a knob's value.
pub(crate) fn effects_of(knob: &str, value: &str) -> Vec<&'static Effect> {
    let alias = TABLE.aliases.iter().find(|alias| alias.knob == knob && alias.value == value);
    let value = alias.map_or(value, |alias| alias.means.as_str());
    TABLE.effects.iter().filter(|effect| effect.knob == knob && effect.value == value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_effect_has_a_source_and_says_how_it_was_computed() {
        assert!(!TABLE.effects.is_empty());
        for effect in &TABLE.effects {
            assert!(!effect.source.is_empty() && !effect.how.is_empty(), "{effect:?}");
            assert!((0.5..1.1).contains(&effect.kept), "{effect:?}");
        }
    }

    #[test]
    fn e4m3_is_what_fp8_means() {
        let names = |value| effects_of("kv_cache_dtype", value).len();
        assert!(names("fp8") > 0);
        assert_eq!(names("fp8"), names("fp8_e4m3"));
        assert_eq!(effects_of("quantization", "gptq").len(), 0);
    }
}
