//! What a server refuses: unknown knobs, values out of range, broken rules.

use std::collections::BTreeMap;

use sbt_engine::{Expr, ParamError, nearest_name};
use sbt_schemas::Cell;

use super::{KnobKind, Rule, ServerSpec};
use crate::{Config, Knob};

impl ServerSpec {
    /// Checks the name and the value of one knob.
    ///
    /// # Errors
    /// At the knob's name, with what is expected.
    pub fn check(&self, name: &str, value: &Knob) -> Result<(), ParamError> {
        let Some(knob) = self.knobs.get(name) else {
            let server = format!("{} {}", self.name, self.version);
            let error = ParamError::at(&[name], format!("{server} has no knob `{name}`"));
            return Err(
                match nearest_name(name, self.knobs.keys().map(String::as_str)) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error,
                },
            );
        };
        if knob.kind.admits(value) {
            return Ok(());
        }
        let message = format!("`{name}` is {value}, expected {}", knob.kind);
        let error = ParamError::at(&[name], message);
        Err(match nearest_choice(&knob.kind, value) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        })
    }

    /// What the server refuses about a configuration: unknown knobs, values out of range, broken
    /// rules. Empty when it is valid. `facts` are the machine's and the model's: `gpus`,
    /// `model.heads`, …
    #[must_use]
    pub fn breaches(&self, config: &Config, facts: &BTreeMap<String, Knob>) -> Vec<String> {
        let of_knobs = config.knobs.iter().filter_map(|(name, value)| {
            let error = self.check(name, value).err()?;
            Some(match error.help {
                Some(help) => format!("{}; {help}", error.message),
                None => error.message,
            })
        });
        let mut breaches: Vec<String> = of_knobs.collect();
        if breaches.is_empty() {
            let value = |name: &str| self.value(config, facts, name);
            let broken = self.rules.iter().filter(|rule| rule.broken(&value));
            breaches.extend(broken.map(|rule| rule.complaint(&value)));
        }
        breaches
    }

    /// GPUs that one replica of a configuration occupies.
    #[must_use]
    pub fn replica_gpus(&self, config: &Config) -> u64 {
        let expr = Expr::parse(&self.replica_gpus).expect("checked when the file was read");
        match expr.eval(&|name| Some(self.value(config, &BTreeMap::new(), name))) {
            Ok(Cell::Number(gpus)) if gpus >= 1.0 => gpus as u64,
            Ok(_) | Err(_) => 1,
        }
    }

    /// A knob as set, else its plain default, else a fact; null when none is known.
    fn value(&self, config: &Config, facts: &BTreeMap<String, Knob>, name: &str) -> Cell {
        let default = || self.knobs.get(name)?.default.as_ref();
        let known = config.knobs.get(name).or_else(default);
        match known.or_else(|| facts.get(name)) {
            None => Cell::Null,
            Some(Knob::Bool(v)) => Cell::Bool(*v),
            Some(Knob::Int(v)) => Cell::Number(*v as f64),
            Some(Knob::Float(v)) => Cell::Number(*v),
            Some(Knob::Text(v)) => Cell::Text(v.clone()),
        }
    }
}

impl KnobKind {
    /// Whether a value has the type and lies in the range.
    #[must_use]
    pub fn admits(&self, value: &Knob) -> bool {
        match (self, value) {
            (Self::Bool, Knob::Bool(_)) => true,
            (Self::Int { min, max }, Knob::Int(v)) => (min..=max).contains(&v),
            (Self::Float { min, max }, Knob::Float(v)) => (min..=max).contains(&v),
            (Self::Float { min, max }, Knob::Int(v)) => (*min..=*max).contains(&(*v as f64)),
            (Self::Choice(words), Knob::Text(v)) => words.contains(v),
            (Self::Text, Knob::Text(_)) => true,
            (
                Self::Bool | Self::Int { .. } | Self::Float { .. } | Self::Choice(_) | Self::Text,
                _,
            ) => false,
        }
    }
}

fn nearest_choice<'a>(kind: &'a KnobKind, value: &Knob) -> Option<&'a str> {
    match (kind, value) {
        (KnobKind::Choice(words), Knob::Text(text)) => {
            nearest_name(text, words.iter().map(String::as_str))
        }
        _ => None,
    }
}

impl Rule {
    fn broken(&self, value: &dyn Fn(&str) -> Cell) -> bool {
        let expr = Expr::parse(&self.expect).expect("checked when the file was read");
        expr.eval(&|name| Some(value(name))) == Ok(Cell::Bool(false))
    }

    /// The message with its values filled in.
    fn complaint(&self, value: &dyn Fn(&str) -> Cell) -> String {
        let mut text = String::new();
        let mut rest = self.message.as_str();
        while let Some((before, name, after)) = split_place(rest) {
            text.push_str(before);
            text.push_str(&spell(&value(name)));
            rest = after;
        }
        text + rest
    }
}

/// Cuts a text at its first `{name}`.
fn split_place(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

fn spell(cell: &Cell) -> String {
    match cell {
        Cell::Null => "unset".to_owned(),
        Cell::Bool(v) => v.to_string(),
        Cell::Number(v) => v.to_string(),
        Cell::Text(v) => v.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vllm() -> &'static ServerSpec {
        ServerSpec::named("vllm").unwrap()
    }

    fn config(json: &str) -> Config {
        Config::from_json("test", json).unwrap()
    }

    fn breaches(json: &str) -> Vec<String> {
        let facts = [
            ("gpus", 2),
            ("model.heads", 28),
            ("model.kv_heads", 4),
            ("model.max_model_len", 32_768),
        ];
        let facts = facts.map(|(name, value)| (name.to_owned(), Knob::Int(value)));
        vllm().breaches(&config(json), &facts.into())
    }

    #[test]
    fn valid_configurations_have_no_breaches() {
        assert!(breaches("{}").is_empty());
        assert!(breaches(r#"{"max_num_seqs":96,"max_num_batched_tokens":16384}"#).is_empty());
        assert!(breaches(r#"{"watermark":0,"gpu_memory_utilization":1}"#).is_empty());
    }

    #[test]
    fn unknown_knob_names_the_nearest() {
        assert_eq!(
            breaches(r#"{"max_num_seq":96}"#),
            ["vllm 0.33.0 has no knob `max_num_seq`; did you mean `max_num_seqs`?"]
        );
    }

    #[test]
    fn value_out_of_type_or_range_says_what_is_expected() {
        assert_eq!(
            breaches(r#"{"max_num_seqs":0,"kv_cache_dtype":"fp8_e4m4"}"#),
            [
                "`kv_cache_dtype` is fp8_e4m4, expected one of auto, bfloat16, float16, fp8, \
                 fp8_e4m3, fp8_e5m2; did you mean `fp8_e4m3`?",
                "`max_num_seqs` is 0, expected a whole number from 1 to 65536",
            ]
        );
        assert_eq!(
            breaches(r#"{"enforce_eager":"yes"}"#),
            ["`enforce_eager` is yes, expected true or false"]
        );
    }

    #[test]
    fn broken_rules_speak_with_the_servers_words_and_the_values() {
        assert_eq!(
            breaches(r#"{"max_num_seqs":96,"max_num_batched_tokens":64}"#),
            ["max_num_batched_tokens (64) must be greater than or equal to max_num_seqs (96)."]
        );
        assert_eq!(
            breaches(r#"{"tensor_parallel_size":8}"#),
            [
                "World size (8 x 1 x 1) is larger than the number of available GPUs (2) in this node.",
                "Total number of attention heads (28) must be divisible by tensor parallel size (8).",
            ]
        );
        let unchunked = r#"{"enable_chunked_prefill":false,"max_num_batched_tokens":2048,"max_model_len":4096}"#;
        assert_eq!(breaches(unchunked).len(), 1);
        assert_eq!(breaches(r#"{"max_model_len":65536}"#).len(), 1);
        assert_eq!(breaches(r#"{"block_size":24}"#).len(), 1);
    }

    #[test]
    fn rule_over_an_unknown_value_holds() {
        assert!(breaches(r#"{"max_num_batched_tokens":2}"#).is_empty());
        let config = config(r#"{"tensor_parallel_size":8}"#);
        assert!(vllm().breaches(&config, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn replica_occupies_the_gpus_of_all_its_engines() {
        assert_eq!(vllm().replica_gpus(&config("{}")), 1);
        let four = config(r#"{"tensor_parallel_size":4}"#);
        assert_eq!(vllm().replica_gpus(&four), 4);
        let two_engines = config(r#"{"tensor_parallel_size":4,"data_parallel_size":2}"#);
        assert_eq!(vllm().replica_gpus(&two_engines), 8);
    }

    #[test]
    fn every_embedded_file_is_sound() {
        const FACTS: [&str; 4] = [
            "gpus",
            "model.heads",
            "model.kv_heads",
            "model.max_model_len",
        ];
        for text in super::super::FILES {
            let server = ServerSpec::parse(text).unwrap();
            let mut known: Vec<&str> = server.knobs.keys().map(String::as_str).collect();
            let replica_gpus = Expr::parse(&server.replica_gpus).unwrap();
            replica_gpus.check_names(&known).unwrap();
            known.extend(FACTS);
            for rule in &server.rules {
                Expr::parse(&rule.expect)
                    .unwrap()
                    .check_names(&known)
                    .unwrap();
                let mut rest = rule.message.as_str();
                while let Some((_, name, after)) = split_place(rest) {
                    assert!(known.contains(&name), "{name}");
                    rest = after;
                }
            }
            for (name, knob) in &server.knobs {
                let flag = format!("--{}", name.replace('_', "-"));
                // `--group.key` sets a key of an argument that is a table.
                let nested = knob.flag.split_once('.');
                assert!(
                    [flag, format!("{{{name}}}")].contains(&knob.flag)
                        || nested.is_some_and(|(_, key)| name.ends_with(key)),
                    "{name}"
                );
                assert!(
                    knob.default.is_some() || knob.default_about.is_some(),
                    "{name}"
                );
                assert!(knob.default.iter().all(|v| knob.kind.admits(v)), "{name}");
                assert!(knob.unset.iter().all(|v| knob.kind.admits(v)), "{name}");
            }
        }
    }
}
