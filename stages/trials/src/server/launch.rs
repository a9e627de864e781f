//! What a server is started with.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{KnobSpec, ServerSpec};
use crate::{Config, Knob};

/// How a server is started.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// Words that start the server as its users do; the first is the program. `{model}` stands
    /// for the model: a name, a file or a folder.
    pub command: Vec<String>,
    /// Further words of a server that is measured: where it listens (`{host}`, `{port}`), the
    /// name of the model in requests (`{name}`), and what measuring needs, such as `--metrics`.
    pub measured: Vec<String>,
    /// Variables that a measured server gets.
    pub env: BTreeMap<String, String>,
    /// Variables of the user that a measured server gets too; `NAME_*` stands for all that begin
    /// with `NAME_`, except keys (`…_API_KEY`): the server would ask for one that nobody sends.
    /// Nothing else is passed.
    pub pass: Vec<String>,
    /// Time until the server must be ready, s.
    pub start_timeout_s: f64,
    /// Time to end by itself after SIGTERM, s.
    pub stop_grace_s: f64,
}

/// Where a measured server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Program to start instead of the file's.
    pub program: Option<&'a str>,
    /// Address to listen on.
    pub host: &'a str,
    /// Port to listen on.
    pub port: u16,
    /// Name of the model in requests.
    pub name: &'a str,
}

impl Launch {
    /// The whole environment of a measured server: what passes of the user's, then the server's
    /// own, then `extra`; the later wins.
    #[must_use]
    pub fn environment(
        &self,
        user: impl IntoIterator<Item = (String, String)>,
        extra: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let passed = user.into_iter().filter(|(name, _)| self.passes(name));
        let own = self.env.iter().chain(extra);
        let own = own.map(|(name, value)| (name.clone(), value.clone()));
        passed.chain(own).collect()
    }

    fn passes(&self, name: &str) -> bool {
        self.pass
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix) && !name.ends_with("_API_KEY"),
                None => name == pattern,
            })
    }
}

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
    /// order of the server's file. Unknown knobs are left out. Empty for a server that sbt cannot
    /// start.
    #[must_use]
    pub fn command(&self, model: &str, config: &Config) -> Vec<String> {
        let Some(launch) = &self.launch else {
            return Vec::new();
        };
        let mut words = self.fill(&launch.command, &[("{model}", model)], config);
        words.extend(self.flags(config));
        words
    }

    /// The command of a server that is measured, as words: [`ServerSpec::command`] with what
    /// [`Launch::measured`] adds. Empty for a server that sbt cannot start.
    #[must_use]
    pub fn measured_command(&self, model: &str, config: &Config, place: &Place) -> Vec<String> {
        let Some(launch) = &self.launch else {
            return Vec::new();
        };
        let port = place.port.to_string();
        let places = [
            ("{model}", model),
            ("{host}", place.host),
            ("{port}", &port),
            ("{name}", place.name),
        ];
        let mut words = self.fill(&launch.command, &places, config);
        if let (Some(program), Some(first)) = (place.program, words.first_mut()) {
            program.clone_into(first);
        }
        words.extend(self.fill(&launch.measured, &places, config));
        words.extend(self.flags(config));
        words
    }

    /// The model that a configuration is served with: a knob may stand for it.
    #[must_use]
    pub fn model(&self, model: &str, config: &Config) -> String {
        self.fill(&["{model}".to_owned()], &[("{model}", model)], config)
            .concat()
    }

    /// Puts values in their places, those of knobs first.
    fn fill(&self, words: &[String], places: &[(&str, &str)], config: &Config) -> Vec<String> {
        let knobs = config.knobs.iter().filter_map(|(name, value)| {
            let knob = self.knobs.get(name).filter(|knob| knob.is_place())?;
            Some((knob.flag.as_str(), value.to_string()))
        });
        let knobs: Vec<(&str, String)> = knobs.collect();
        let of_knobs = knobs.iter().map(|(place, value)| (*place, value.as_str()));
        let values: Vec<(&str, &str)> = of_knobs.chain(places.iter().copied()).collect();
        let fill = |word: &String| {
            let value = values.iter().find(|(place, _)| word.contains(place));
            value.map_or_else(|| word.clone(), |(place, value)| word.replace(place, value))
        };
        words.iter().map(fill).collect()
    }

    fn flags(&self, config: &Config) -> Vec<String> {
        let effective = self.effective(config);
        let set = effective.knobs.iter();
        let mut set: Vec<(&KnobSpec, &Knob)> = set
            .filter_map(|(name, value)| Some((self.knobs.get(name)?, value)))
            .filter(|(knob, _)| !knob.is_place())
            .collect();
        set.sort_by_key(|(knob, _)| knob.place);
        set.into_iter()
            .flat_map(|(knob, value)| knob.words(value))
            .collect()
    }
}

impl KnobSpec {
    /// Whether its value takes a place in the command, instead of standing after a flag.
    fn is_place(&self) -> bool {
        self.flag.starts_with('{')
    }

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

    fn server(name: &str) -> &'static ServerSpec {
        ServerSpec::named(name).unwrap()
    }

    fn config(json: &str) -> Config {
        Config::from_json("test", json).unwrap()
    }

    const PLACE: Place = Place {
        program: Some("/opt/bin/server"),
        host: "127.0.0.1",
        port: 8123,
        name: "small",
    };

    #[test]
    fn command_gives_set_knobs_in_file_order() {
        let config = config(
            r#"{"enable_prefix_caching":false,"enforce_eager":false,"gpu_memory_utilization":0.9,
                "max_num_seqs":96,"quantization":"none","async_scheduling":true}"#,
        );
        assert_eq!(
            server("vllm").command("org/model", &config).join(" "),
            "vllm serve org/model --max-num-seqs 96 --gpu-memory-utilization 0.9 \
             --no-enable-prefix-caching --async-scheduling"
        );
    }

    #[test]
    fn measured_command_is_the_command_with_place_and_metrics() {
        let config = config(r#"{"parallel":4,"ctx_size":4096,"cache_prompt":false}"#);
        let llama = server("llamacpp");
        assert_eq!(
            llama.command("m.gguf", &config).join(" "),
            "llama-server -m m.gguf -fit off --parallel 4 --ctx-size 4096 --no-cache-prompt"
        );
        assert_eq!(
            llama.measured_command("m.gguf", &config, &PLACE).join(" "),
            "/opt/bin/server -m m.gguf -fit off --host 127.0.0.1 --port 8123 --alias small \
             --metrics --parallel 4 --ctx-size 4096 --no-cache-prompt"
        );
    }

    #[test]
    fn model_knob_takes_the_place_of_the_model() {
        let config = config(r#"{"model":"m-q4_0.gguf","parallel":1}"#);
        let llama = server("llamacpp");
        assert_eq!(llama.model("m.gguf", &config), "m-q4_0.gguf");
        assert_eq!(
            llama.command("m.gguf", &config).join(" "),
            "llama-server -m m-q4_0.gguf -fit off --parallel 1"
        );
        assert_eq!(llama.variant(&config), r#"{"model":"m-q4_0.gguf"}"#);
    }

    #[test]
    fn every_place_of_every_launch_is_filled() {
        for name in ServerSpec::names() {
            let words = server(name).measured_command("org/model", &config("{}"), &PLACE);
            assert!(!words.concat().contains(['{', '}']), "{words:?}");
            for value in ["org/model", "127.0.0.1", "8123", "small"] {
                let launched = server(name).launch.is_some();
                assert_eq!(words.iter().any(|w| w == value), launched, "{words:?}");
            }
        }
    }

    #[test]
    fn endpoint_that_runs_already_has_no_command() {
        assert!(server("openai").command("m", &config("{}")).is_empty());
        assert!(
            server("openai")
                .measured_command("m", &config("{}"), &PLACE)
                .is_empty()
        );
    }

    #[test]
    fn environment_is_the_allowed_part_of_the_users_and_the_servers_own() {
        let launch = server("vllm").launch.as_ref().unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let user = [
            pair("PATH", "/bin"),
            pair("VLLM_CPU_KVCACHE_SPACE", "1"),
            pair("VLLM_NO_USAGE_STATS", "0"),
            pair("VLLM_API_KEY", "secret"),
            pair("OPENAI_API_KEY", "secret"),
            pair("LANG", "de"),
        ];
        let extra = [pair("OMP_NUM_THREADS", "2")].into();
        let environment = launch.environment(user, &extra);
        assert_eq!(environment["PATH"], "/bin");
        assert_eq!(environment["VLLM_CPU_KVCACHE_SPACE"], "1");
        assert_eq!(environment["VLLM_NO_USAGE_STATS"], "1");
        assert_eq!(environment["OMP_NUM_THREADS"], "2");
        for absent in ["VLLM_API_KEY", "OPENAI_API_KEY", "LANG"] {
            assert!(!environment.contains_key(absent), "{absent}");
        }
        let key = [pair("VLLM_API_KEY", "chosen")].into();
        let environment = launch.environment([pair("VLLM_API_KEY", "secret")], &key);
        assert_eq!(environment["VLLM_API_KEY"], "chosen");
    }

    #[test]
    fn variant_keeps_only_what_can_change_answers() {
        let json = r#"{"kv_cache_dtype":"fp8","max_num_seqs":96,"quantization":"none"}"#;
        let vllm = server("vllm");
        assert_eq!(vllm.variant(&config(json)), r#"{"kv_cache_dtype":"fp8"}"#);
        assert_eq!(vllm.variant(&config(r#"{"kv_cache_dtype":"auto"}"#)), "{}");
    }

    #[test]
    fn unknown_server_names_the_nearest() {
        assert_eq!(
            ServerSpec::named("vlm").unwrap_err(),
            "unknown server `vlm`; did you mean `vllm`?"
        );
        assert_eq!(
            ServerSpec::named("triton").unwrap_err(),
            "unknown server `triton`; known: vllm, sglang, llamacpp, openai"
        );
    }
}
