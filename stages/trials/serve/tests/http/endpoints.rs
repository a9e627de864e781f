use serde_json::{Value, json};

use crate::raw::{End, fixed, post, start};

const CHAT: &str = "/v1/chat/completions";

fn chat(tokens: u64) -> Value {
    json!({
        "model": "m",
        "messages": [{ "role": "user", "content": "one two three" }],
        "max_tokens": tokens,
        "stream": true,
        "stream_options": { "include_usage": true },
    })
}

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
