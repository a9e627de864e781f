use serde_json::{Value, json};

use crate::raw::{CHAT, COMPLETIONS, End, chat, exchange, fixed, get, post, posted, start};

#[test]
fn chat_streams_role_tokens_usage_and_done_one_write_each() {
    let server = start(fixed());
    let arrived = post(server.addr(), CHAT, "", &chat(5));
    assert_eq!((arrived.status(), arrived.end), (200, End::Complete));
    let kind = arrived.header("content-type").unwrap();
    assert!(kind.starts_with("text/event-stream"));
    let events = arrived.values();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(arrived.texts().len(), 5);
    assert_eq!(arrived.finish_reason().as_deref(), Some("length"));
    let usage = arrived.usage().unwrap();
    assert_eq!(usage["prompt_tokens"], 3 + 4);
    assert_eq!(usage["completion_tokens"], 5);
    assert_eq!(usage["total_tokens"], 12);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 0);
    let last = events.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert!((last["metrics"]["time_to_first_token_ms"].as_f64().unwrap() - 20.0).abs() < 1e-6);
    assert!((last["metrics"]["mean_itl_ms"].as_f64().unwrap() - 2.0).abs() < 1e-6);
    assert!(arrived.done());
    assert_eq!(arrived.chunks(), 5 + 1);
    for event in &events {
        let label = event["system_fingerprint"].as_str().unwrap();
        assert!(label.starts_with("sbt-simulated"));
    }
}

fn completion(prompt: Value, tokens: u64) -> Value {
    json!({ "model": "m", "prompt": prompt, "max_tokens": tokens })
}

#[test]
fn completion_takes_text_ids_and_lists_of_one() {
    let server = start(fixed());
    let prompts = [
        (json!("one two, three"), 5),
        (json!(["one two, three"]), 5),
        (json!([11, 12, 13]), 3),
        (json!([[11, 12, 13]]), 3),
    ];
    for (prompt, tokens) in prompts {
        let arrived = post(server.addr(), COMPLETIONS, "", &completion(prompt, 4));
        assert_eq!((arrived.status(), arrived.end), (200, End::Complete));
        let answer = arrived.json();
        assert_eq!(answer["object"], "text_completion");
        assert_eq!(answer["usage"]["prompt_tokens"], tokens);
        assert_eq!(answer["usage"]["completion_tokens"], 4);
        let text = answer["choices"][0]["text"].as_str().unwrap();
        assert_eq!(text.split_whitespace().count(), 4);
    }
    for prompt in [json!(["a", "b"]), json!([]), json!([[1], [2]]), json!(7)] {
        let arrived = post(server.addr(), COMPLETIONS, "", &completion(prompt, 4));
        assert_eq!(arrived.status(), 400);
    }
}

#[test]
fn chat_without_stream_is_one_body() {
    let server = start(fixed());
    let mut body = chat(3);
    body["stream"] = json!(false);
    let answer = post(server.addr(), CHAT, "", &body).json();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["total_tokens"], 10);
}

#[test]
fn usage_comes_as_it_is_asked_for() {
    let server = start(fixed());
    let mut body = chat(3);
    body["stream_options"] = json!({ "include_usage": true, "continuous_usage_stats": true });
    let arrived = post(server.addr(), CHAT, "", &body);
    let counts: Vec<Value> = arrived.values()[1..]
        .iter()
        .map(|event| event["usage"]["completion_tokens"].clone())
        .collect();
    assert_eq!(counts, [1, 2, 3, 3]);
    body["stream_options"] = Value::Null;
    let arrived = post(server.addr(), CHAT, "", &body);
    assert_eq!(arrived.usage(), None);
    assert_eq!(arrived.values().len(), 1 + 3);
}

#[test]
fn answer_of_no_asked_length_ends_by_itself() {
    let server = start(fixed());
    let mut body = chat(3);
    body["max_tokens"] = Value::Null;
    let arrived = post(server.addr(), CHAT, "", &body);
    assert_eq!(arrived.finish_reason().as_deref(), Some("stop"));
    assert_eq!(arrived.texts().len(), 128);
}

#[test]
fn equal_prompts_have_equal_answers_and_others_not() {
    let server = start(fixed());
    let text = |prompt: &str| {
        let arrived = post(
            server.addr(),
            COMPLETIONS,
            "",
            &completion(json!(prompt), 20),
        );
        arrived.json()["choices"][0]["text"].clone()
    };
    assert_eq!(text("a b"), text("a b"));
    assert_ne!(text("a b"), text("a c"));
}

#[test]
fn wrong_requests_are_refused_in_the_words_of_vllm() {
    let server = start(fixed());
    let refused = |body: &Value| {
        let arrived = post(server.addr(), COMPLETIONS, "", body);
        let error = arrived.json()["error"].clone();
        assert_eq!(error["code"], arrived.status());
        let message = error["message"].as_str().unwrap().to_owned();
        (arrived.status(), message)
    };
    let long: Vec<u32> = (0..1000).collect();
    let (status, message) = refused(&completion(json!(long), 1));
    assert_eq!(status, 400);
    assert!(message.starts_with("This model's maximum context length is 1000 tokens. However, your prompt contains at least 1000 input tokens"));
    let (status, message) = refused(&completion(json!(long[..900]), 101));
    assert_eq!(status, 400);
    assert!(message.contains("maximum context length is 1000 tokens"));
    let (status, message) = refused(&completion(json!("a"), 1001));
    assert_eq!(status, 400);
    assert!(message.starts_with("max_tokens=1001 cannot be greater than max_model_len=1000."));
    assert_eq!(refused(&completion(json!("a"), 0)).0, 400);
    let (status, message) = refused(&json!({ "model": "nope", "prompt": "a" }));
    assert_eq!(status, 404);
    assert_eq!(
        message,
        "The model `nope` does not exist. Valid aliases: m."
    );
    let arrived = exchange(server.addr(), &posted(CHAT, "", "{\"model\":"));
    assert_eq!(arrived.status(), 400);
    assert_eq!(arrived.json()["error"]["type"], "Bad Request");
    assert_eq!(get(server.addr(), "/nope").status(), 404);
    assert_eq!(get(server.addr(), CHAT).status(), 405);
}

#[test]
fn side_endpoints_answer_and_say_that_they_are_simulated() {
    let server = start(fixed());
    let addr = server.addr();
    let health = get(addr, "/health");
    assert_eq!((health.status(), health.text().as_str()), (200, ""));
    assert_eq!(health.header("server").as_deref(), Some("sbt-simulated"));
    let version = get(addr, "/version").json()["version"].clone();
    assert!(version.as_str().unwrap().starts_with("sbt-simulated"));
    let models = get(addr, "/v1/models").json();
    assert_eq!(models["data"][0]["id"], "m");
    assert_eq!(models["data"][0]["owned_by"], "sbt-simulated");
    assert_eq!(models["data"][0]["max_model_len"], 1000);
    let reset = post(addr, "/reset_prefix_cache", "", &json!({}));
    assert_eq!(reset.json(), json!({ "success": true }));
}

#[test]
fn tokenizer_has_both_forms_and_agrees_with_usage() {
    let server = start(fixed());
    let tokenized = |body: &Value| post(server.addr(), "/tokenize", "", body).json();
    let vllm = tokenized(&json!({ "model": "m", "prompt": "Hello, world" }));
    assert_eq!(vllm["count"], 4);
    assert_eq!(vllm["max_model_len"], 1000);
    let bare = json!({ "prompt": "Hello, world", "add_special_tokens": false });
    let bare = tokenized(&bare)["tokens"].clone();
    assert_eq!(
        tokenized(&json!({ "content": "Hello, world" }))["tokens"],
        bare
    );
    let messages = chat(1)["messages"].clone();
    assert_eq!(tokenized(&json!({ "messages": messages }))["count"], 7);
    assert_eq!(
        post(server.addr(), "/tokenize", "", &json!({})).status(),
        400
    );
    let ids = json!([77, 4242]);
    let text = post(server.addr(), "/detokenize", "", &json!({ "tokens": ids })).json();
    assert_eq!(
        tokenized(&json!({ "content": text["prompt"] }))["tokens"],
        ids
    );
}

#[test]
fn metrics_count_under_the_names_of_vllm() {
    let server = start(fixed());
    post(server.addr(), CHAT, "", &chat(5));
    let text = get(server.addr(), "/metrics").text();
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(value("vllm:num_requests_running{"), 0.0);
    assert_eq!(value("vllm:num_requests_waiting{"), 0.0);
    assert_eq!(value("vllm:kv_cache_usage_perc{"), 0.0);
    assert_eq!(value("vllm:prefix_cache_queries_total{"), 0.0);
    assert_eq!(value("vllm:prefix_cache_hits_total{"), 0.0);
    assert_eq!(value("vllm:num_preemptions_total{"), 0.0);
    assert_eq!(value("vllm:prompt_tokens_total{"), 7.0);
    assert_eq!(value("vllm:generation_tokens_total{"), 5.0);
    let length =
        "vllm:request_success_total{engine=\"0\",model_name=\"m\",finished_reason=\"length\"}";
    assert_eq!(value(length), 1.0);
    assert_eq!(value("vllm:time_to_first_token_seconds_count{"), 1.0);
    assert_eq!(value("vllm:inter_token_latency_seconds_count{"), 4.0);
    assert!((value("vllm:e2e_request_latency_seconds_sum{") - 0.028).abs() < 1e-6);
}

#[test]
fn key_is_wanted_below_v1_alone() {
    let options = sbt_serve::Options {
        api_key: Some("secret".to_owned()),
        ..fixed()
    };
    let server = start(options);
    let status = |headers: &str| post(server.addr(), CHAT, headers, &chat(1)).status();
    assert_eq!(status(""), 401);
    assert_eq!(status("authorization: Bearer wrong\r\n"), 401);
    assert_eq!(status("authorization: Bearer secret\r\n"), 200);
    assert_eq!(get(server.addr(), "/v1/models").status(), 401);
    assert_eq!(get(server.addr(), "/health").status(), 200);
}

#[test]
fn tokens_go_several_an_event_and_events_several_a_write() {
    let mut options = fixed();
    options.tokens_per_event = 3;
    let server = start(options);
    let arrived = post(server.addr(), CHAT, "", &chat(7));
    let words = arrived.texts();
    let words: Vec<usize> = words.iter().map(|t| t.split_whitespace().count()).collect();
    assert_eq!(words, [3, 3, 1]);
    let mut options = fixed();
    options.events_per_write = 64;
    options.engine = sbt_serve::Engine::Fixed(sbt_serve::FixedTimes {
        ttft_s: 0.0,
        itl_s: 0.0,
        max_model_len: 1000,
    });
    let server = start(options);
    let arrived = post(server.addr(), CHAT, "", &chat(256));
    assert_eq!(arrived.texts().len(), 256);
    assert_eq!(arrived.chunks(), 256 / 64 + 1, "and the end");
}
