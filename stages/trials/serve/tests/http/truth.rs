use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::raw::{CHAT, chat, fixed, get, post, start};

/// Lines of a truth log; a request that is not there yet is waited for.
fn lines(path: &Path, requests: usize) -> Vec<Value> {
    loop {
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if lines.len() >= requests {
            return lines;
        }
        std::thread::yield_now();
    }
}

fn writes(line: &Value) -> Vec<(f64, u64)> {
    let writes = line["token_writes"].as_array().unwrap();
    let pair = |pair: &Value| (pair[0].as_f64().unwrap(), pair[1].as_u64().unwrap());
    writes.iter().map(pair).collect()
}

#[test]
fn truth_log_has_a_line_a_request_with_every_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("truth.jsonl");
    let options = sbt_serve::Options {
        truth: Some(path.clone()),
        ..fixed()
    };
    let server = start(options);
    post(server.addr(), CHAT, "x-request-id: one\r\n", &chat(6));
    let cut = "x-request-id: two\r\nx-sbt-fault: cut\r\n";
    post(server.addr(), CHAT, cut, &chat(6));
    let hang = "x-request-id: three\r\nx-sbt-fault: hang_headers\r\n";
    post(server.addr(), CHAT, hang, &chat(6));
    get(server.addr(), "/health");
    let lines = lines(&path, 4);
    let of = |id: &str| lines.iter().find(|line| line["request_id"] == id).unwrap();
    let one = of("one");
    assert_eq!((&one["status"], &one["fault"]), (&200.into(), &Value::Null));
    assert_eq!(writes(one).len(), 6);
    assert!(writes(one).iter().all(|(_, tokens)| *tokens == 1));
    let times: Vec<f64> = writes(one).iter().map(|(at, _)| *at).collect();
    assert!(times.is_sorted());
    let received = one["received_s"].as_f64().unwrap();
    let first = one["first_write_s"].as_f64().unwrap();
    assert!(received < first && first < times[0]);
    assert!(
        times[0] >= received + 0.02,
        "not before the engine gives it"
    );
    assert!(times[5] >= received + 0.02 + 5.0 * 0.002);
    let two = of("two");
    assert_eq!(two["fault"], "cut");
    assert_eq!(writes(two).len(), 3);
    let three = of("three");
    assert_eq!((&three["status"], writes(three).len()), (&Value::Null, 0));
    assert!(lines.iter().any(|line| line["path"] == "/health"));
}

#[test]
fn answer_in_one_piece_counts_its_tokens_in_one_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("truth.jsonl");
    let options = sbt_serve::Options {
        truth: Some(path.clone()),
        ..fixed()
    };
    let server = start(options);
    let mut body = chat(6);
    body["stream"] = false.into();
    post(server.addr(), CHAT, "", &body);
    let lines = lines(&path, 1);
    let tokens: Vec<u64> = writes(&lines[0])
        .iter()
        .map(|(_, tokens)| *tokens)
        .collect();
    assert_eq!(tokens, [6]);
}

#[test]
fn request_without_a_name_hears_the_one_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("truth.jsonl");
    let server = start(sbt_serve::Options {
        truth: Some(path.clone()),
        ..fixed()
    });
    let heard = [6, 3].map(|tokens| {
        let answer = post(server.addr(), CHAT, "", &chat(tokens));
        (answer.header("x-request-id").unwrap(), tokens as usize)
    });
    assert_ne!(heard[0].0, heard[1].0);
    let lines = lines(&path, 2);
    for (name, tokens) in &heard {
        let line = lines.iter().find(|line| line["request_id"] == **name);
        assert_eq!(writes(line.unwrap()).len(), *tokens);
    }
}
