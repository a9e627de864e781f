//! What a server is started with.

use super::{KnobSpec, ServerSpec};
use crate::{Config, Knob};

impl ServerSpec {
    /// The knobs of a configuration that can change answers, without those at their default: the
    /// variant that table `quality` is keyed by, as canonical JSON.
    #[must_use]
    pub fn variant(&self, config: &Config) -> String {
        let mut variant = self.effective(config);
        variant.knobs.retain(|name, value| {
            let knob = self.knobs.get(name);
            knob.is_some_and(|knob| knob.quality && knob.default.as_ref() != Some(value))
        });
        variant.json()
    }

    /// The configuration without knobs that are set to what leaves them unset.
    #[must_use]
    pub fn effective(&self, config: &Config) -> Config {
        let mut effective = config.clone();
        effective.knobs.retain(|name, value| {
            let unset = self.knobs.get(name).and_then(|knob| knob.unset.as_ref());
            unset != Some(value)
        });
        effective
    }

    /// The command that starts the server with a configuration, as words; flags stand in the
    /// order of the server's file. Unknown knobs are left out.
    #[must_use]
    pub fn command(&self, model_id: &str, config: &Config) -> Vec<String> {
        let words = self.command.iter();
        let mut words: Vec<String> = words.map(|w| w.replace("{model}", model_id)).collect();
        let effective = self.effective(config);
        let set = effective.knobs.iter();
        let mut set: Vec<(&KnobSpec, &Knob)> = set
            .filter_map(|(name, value)| Some((self.knobs.get(name)?, value)))
            .collect();
        set.sort_by_key(|(knob, _)| knob.place);
        words.extend(set.into_iter().flat_map(|(knob, value)| knob.words(value)));
        words
    }
}

impl KnobSpec {
    fn words(&self, value: &Knob) -> Vec<String> {
        match value {
            Knob::Bool(true) => vec![self.flag.clone()],
            Knob::Bool(false) => self.off_flag.iter().cloned().collect(),
            Knob::Int(_) | Knob::Float(_) | Knob::Text(_) => {
                vec![self.flag.clone(), value.to_string()]
            }
        }
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

    #[test]
    fn command_gives_set_knobs_in_file_order() {
        let config = config(
            r#"{"enable_prefix_caching":false,"enforce_eager":false,"gpu_memory_utilization":0.9,
                "max_num_seqs":96,"quantization":"none","async_scheduling":true}"#,
        );
        assert_eq!(
            vllm().command("org/model", &config).join(" "),
            "vllm serve org/model --max-num-seqs 96 --gpu-memory-utilization 0.9 \
             --no-enable-prefix-caching --async-scheduling"
        );
    }

    #[test]
    fn variant_keeps_only_what_can_change_answers() {
        let json = r#"{"kv_cache_dtype":"fp8","max_num_seqs":96,"quantization":"none"}"#;
        assert_eq!(vllm().variant(&config(json)), r#"{"kv_cache_dtype":"fp8"}"#);
        assert_eq!(
            vllm().variant(&config(r#"{"kv_cache_dtype":"auto"}"#)),
            "{}"
        );
    }

    #[test]
    fn unknown_server_names_the_nearest() {
        assert_eq!(
            ServerSpec::named("vlm").unwrap_err(),
            "unknown server `vlm`; did you mean `vllm`?"
        );
        assert_eq!(
            ServerSpec::named("triton").unwrap_err(),
            "unknown server `triton`; known: vllm"
        );
    }
}
