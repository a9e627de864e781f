//! The simulated engine behind HTTP.

use std::io::Write;
use std::net::TcpStream;

use sbt_serve::{Engine, Options};
use sbt_simulator::{Client, EngineConfig, Gpu, Model, Request, Server, StepSource};
use serde_json::{Value, json};

use crate::raw::{Arrived, CHAT, chat, get, post, posted, start};

fn simulator() -> Server {
    let model = Model::named("llama-3.1-8b").unwrap();
    let config = EngineConfig::default();
    Server::launch(
        &config,
        model,
        Gpu::named("h100-sxm").unwrap(),
        1,
        &StepSource::default(),
    )
    .unwrap()
}

fn options() -> Options {
    Options::new(
        "m",
        Engine::Simulated(Box::new(simulator().live().unwrap())),
    )
}

fn metrics(arrived: &Arrived) -> Value {
    arrived.values().pop().unwrap()["metrics"].clone()
}

#[test]
fn lone_request_has_the_times_of_the_simulation() {
    let server = start(options());
    let arrived = post(server.addr(), CHAT, "", &chat(16));
    let request = Request {
        start_s: 0.0,
        after: None,
        continues: false,
        priority: 0,
        prompt_tokens: 7,
        output_tokens: 16,
        block_ids: Vec::new(),
        block_tokens: 16,
    };
    let run = simulator().simulate(&[request], &Client::default());
    let served = &run.requests[0];
    let metrics = metrics(&arrived);
    let ttft_ms = served.first_token_s.unwrap() * 1e3;
    assert!((metrics["time_to_first_token_ms"].as_f64().unwrap() - ttft_ms).abs() < 1e-3);
    let itl_ms = served.decode_s.unwrap() * 1e3 / 15.0;
    assert!((metrics["mean_itl_ms"].as_f64().unwrap() - itl_ms).abs() < 1e-3);
}

#[test]
fn speed_divides_every_time() {
    let usual = start(options());
    let fast = start(Options {
        speed: 10.0,
        ..options()
    });
    let times = |arrived: &Arrived| metrics(arrived)["mean_itl_ms"].as_f64().unwrap();
    let usual = times(&post(usual.addr(), CHAT, "", &chat(16)));
    let fast = times(&post(fast.addr(), CHAT, "", &chat(16)));
    assert!((usual / fast - 10.0).abs() < 1e-3);
}

#[test]
fn answer_sent_back_is_found_in_the_prefix_cache() {
    let server = start(options());
    let question = "why is the sky blue and not green or red at noon in the middle of summer";
    let mut body = chat(40);
    body["messages"] = json!([{ "role": "user", "content": question }]);
    let answer = post(server.addr(), CHAT, "", &body).texts().concat();
    body["messages"] = json!([
        { "role": "user", "content": question },
        { "role": "assistant", "content": answer },
        { "role": "user", "content": "go on" },
    ]);
    let usage = post(server.addr(), CHAT, "", &body).usage().unwrap();
    // 17 words, 4 tokens of the template, 40 of the answer, the last of which has no KV entry.
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 48);
    let text = get(server.addr(), "/metrics").text();
    assert!(text.contains("vllm:prefix_cache_hits_total{engine=\"0\",model_name=\"m\"} 48.0"));
    let reset = post(server.addr(), "/reset_prefix_cache", "", &json!({})).json();
    assert_eq!(reset["success"], true);
    let usage = post(server.addr(), CHAT, "", &body).usage().unwrap();
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 0);
}

#[test]
fn full_queue_is_status_503() {
    let config = EngineConfig {
        max_num_queued_reqs: Some(0),
        ..EngineConfig::default()
    };
    let model = Model::named("llama-3.1-8b").unwrap();
    let gpu = Gpu::named("h100-sxm").unwrap();
    let full = Server::launch(&config, model, gpu, 1, &StepSource::default()).unwrap();
    let server = start(Options::new(
        "m",
        Engine::Simulated(Box::new(full.live().unwrap())),
    ));
    let arrived = post(server.addr(), CHAT, "", &chat(2));
    assert_eq!(arrived.status(), 503);
    assert_eq!(arrived.json()["error"]["type"], "ServiceUnavailableError");
}

#[test]
fn client_that_leaves_frees_its_place() {
    let server = start(options());
    let running = || {
        let text = get(server.addr(), "/metrics").text();
        let line = text
            .lines()
            .find(|l| l.starts_with("vllm:num_requests_running"));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    let mut body = chat(100_000);
    body["stream"] = json!(true);
    let request = posted(CHAT, "", &body.to_string());
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    while running() != "1.0" {}
    drop(stream);
    while running() != "0.0" {}
    let text = get(server.addr(), "/metrics").text();
    assert!(text.contains("finished_reason=\"length\"} 0"));
}
