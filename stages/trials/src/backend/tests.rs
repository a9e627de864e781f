use serde_json::{Value, json};

use super::{Backend, SimulatorBackend};
use crate::{Config, Knob, Protocol, ServerSpec};

fn backend(model: Value) -> Result<Backend, serde_json::Error> {
    serde_json::from_value(json!({
        "kind": "simulator", "server": "vllm", "model": model, "gpu": "h100-sxm", "gpus": 1,
    }))
}

fn simulator() -> SimulatorBackend {
    match backend(json!("llama-3.1-8b")).unwrap() {
        Backend::Simulator(simulator) => simulator,
        Backend::Server(_) | Backend::Endpoint(_) => unreachable!("it was a simulator"),
    }
}

#[test]
fn model_may_be_described_in_place() {
    let named = simulator();
    let described = serde_json::to_value(named.model.resolve().unwrap()).unwrap();
    let custom = backend(described.clone()).unwrap();
    assert_eq!(serde_json::to_value(&custom).unwrap()["model"], described);
    assert!(custom.problems(&[]).is_empty());
    let mut wrong = described;
    wrong["layerz"] = json!(3);
    let error = backend(wrong).unwrap_err().to_string();
    assert!(error.contains("unknown field `layerz`"), "{error}");
}

#[test]
fn unknown_names_and_empty_machines_are_problems_with_their_path() {
    let wrong = json!({
        "kind": "simulator", "server": "vlm", "model": "llama-3.1-8", "gpu": "h100", "gpus": 0,
        "usd_per_gpu_hour": -1,
    });
    let wrong: Backend = serde_json::from_value(wrong).unwrap();
    let problems = wrong.problems(&["backend"]);
    let paths: Vec<String> = problems.iter().map(|p| p.path.join(".")).collect();
    let keys = ["server", "model", "gpu", "gpus", "usd_per_gpu_hour"];
    assert_eq!(paths, keys.map(|key| format!("backend.{key}")));
    assert!(problems[1].message.contains("did you mean `llama-3.1-8b`?"));
}

#[test]
fn server_that_the_simulator_does_not_model_is_a_problem() {
    let server = "openai".to_owned();
    let backend = Backend::Simulator(SimulatorBackend {
        server,
        ..simulator()
    });
    let problems = backend.problems(&[]);
    assert_eq!(problems[0].message, "the simulator does not model openai");
}

#[test]
fn version_of_the_server_is_one_that_the_simulator_knows() {
    let simulator = |server: &str, version: &str| SimulatorBackend {
        server: server.to_owned(),
        version: version.to_owned(),
        ..simulator()
    };
    let old = simulator("vllm", "0.19");
    assert!(Backend::Simulator(old.clone()).problems(&[]).is_empty());
    let config = Config::from_json("c", "{}").unwrap();
    let machine = old.machine(&config).unwrap();
    assert_eq!(machine.config.version, sbt_simulator::VllmVersion::V0_19);
    for (server, expected) in [
        ("vllm", "is 0.1, expected 0.33 or 0.19 for vllm"),
        (
            "sglang",
            "is 0.1, expected nothing: its versions are not told apart for sglang",
        ),
    ] {
        let problems = Backend::Simulator(simulator(server, "0.1")).problems(&[]);
        assert_eq!(problems[0].message, expected);
    }
}

#[test]
fn every_default_of_the_simulated_server_is_modelled() {
    let backend = backend(json!("llama-3.1-8b")).unwrap();
    let not_modelled = ["dtype", "optimization_level", "performance_mode"];
    for (name, knob) in &ServerSpec::named("vllm").unwrap().knobs {
        if let Some(value) = &knob.default {
            let modelled = backend.check(name, value).is_ok();
            assert_eq!(modelled, !not_modelled.contains(&name.as_str()), "{name}");
        }
    }
}

#[test]
fn endpoint_without_an_address_says_how_to_give_one() {
    let endpoint = json!({ "kind": "endpoint", "url": "", "model": "m" });
    let endpoint: Backend = serde_json::from_value(endpoint).unwrap();
    let problems = endpoint.problems(&["backend"]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("--set params.url="));
}

#[test]
fn endpoint_takes_no_knobs() {
    let endpoint = json!({ "kind": "endpoint", "url": "http://h:1/v1", "model": "m" });
    let endpoint: Backend = serde_json::from_value(endpoint).unwrap();
    let error = endpoint.check("max_num_seqs", &Knob::Int(8)).unwrap_err();
    assert!(error.help.unwrap().contains("server"));
}

#[test]
fn server_of_ones_own_comes_as_text() {
    let text = include_str!("../../servers/llamacpp.toml")
        .replace("name = \"llamacpp\"", "name = \"mine\"");
    let backend = json!({ "kind": "server", "server": text, "model": "m.gguf" });
    let backend: Backend = serde_json::from_value(backend).unwrap();
    assert_eq!(backend.problems(&[]), []);
    assert_eq!(backend.server().unwrap().name, "mine");
    assert!(backend.check("parallel", &Knob::Int(4)).is_ok());
    let broken = json!({ "kind": "server", "server": "name = 1\n", "model": "m.gguf" });
    let broken: Backend = serde_json::from_value(broken).unwrap();
    assert_eq!(broken.problems(&[])[0].path, ["server"]);
}

#[test]
fn server_that_runs_already_cannot_be_started() {
    let backend = json!({ "kind": "server", "server": "openai", "model": "m" });
    let backend: Backend = serde_json::from_value(backend).unwrap();
    assert!(backend.problems(&[])[0].message.contains("endpoint"));
}

#[test]
fn client_of_real_servers_has_settings_that_the_simulator_s_has_not() {
    let endpoint = json!({ "kind": "endpoint", "url": "http://h:1/v1", "model": "m" });
    let endpoint: Backend = serde_json::from_value(endpoint).unwrap();
    let simulator = Backend::Simulator(simulator());
    let problems = |backend: &Backend, protocol: Value| {
        let protocol: Protocol = serde_json::from_value(protocol).unwrap();
        let problems = backend
            .problems_of_protocol(&protocol, &["protocol"])
            .into_iter();
        problems
            .map(|problem| (problem.path.join("."), problem.message))
            .collect::<Vec<_>>()
    };
    for (client, name) in [
        (json!({ "shards": 2 }), "shards"),
        (json!({ "connections": "sticky_session" }), "connections"),
    ] {
        let protocol = json!({ "client": client });
        assert_eq!(problems(&endpoint, protocol.clone()), []);
        let (path, message) = problems(&simulator, protocol).remove(0);
        assert_eq!(path, format!("protocol.client.{name}"));
        assert!(message.contains("real servers"), "{message}");
    }
    let (path, message) = problems(&endpoint, json!({ "client": { "shards": 0 } })).remove(0);
    assert_eq!(path, "protocol.client.shards");
    assert!(message.contains("expected null or 1 or more"), "{message}");
    let tokens = json!({ "prompts": "token_ids" });
    assert_eq!(
        problems(&simulator, tokens.clone())[0].0,
        "protocol.prompts"
    );
    let with = |server: &str, api: &str| {
        let backend = json!({
            "kind": "endpoint", "url": "http://h:1/v1", "model": "m", "server": server, "api": api,
        });
        problems(&serde_json::from_value(backend).unwrap(), tokens.clone())
    };
    assert_eq!(with("vllm", "auto"), []);
    assert!(with("vllm", "chat")[0].1.contains("chat takes no tokens"));
    assert!(
        with("openai", "auto")[0]
            .1
            .contains("not known to have /tokenize")
    );
}

#[test]
fn command_of_a_launched_backend_has_its_own_arguments() {
    let backend: Backend = serde_json::from_value(json!({
        "kind": "server", "server": "vllm", "model": "org/model", "args": ["--dtype", "bfloat16"],
    }))
    .unwrap();
    let config = Config::from_json("test", r#"{"max_num_seqs":4}"#).unwrap();
    let command = backend.command(&config).join(" ");
    assert_eq!(
        command,
        "vllm serve org/model --max-num-seqs 4 --dtype bfloat16"
    );
}
