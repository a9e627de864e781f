//! Answers that real servers gave, replayed byte by byte.

use std::path::{Path, PathBuf};

use sbt_client::{Features, Limits, Observed, Vocabulary, Warning, prometheus, run};
use sbt_schemas::{RequestStatus, TokenSource};

use crate::mock::{Mock, Step, chunk, last, send};
use crate::support::{FEATURES, Patient, ask};

/// A recorded answer: its head and its body, as `curl -i` shows them.
fn sample(name: &str) -> Option<(String, Vec<u8>)> {
    let base = std::env::var_os("SBT_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data"),
        PathBuf::from,
    );
    let file = base.join("samples").join(name);
    let Ok(bytes) = std::fs::read(&file) else {
        println!("skipped: {} is not on this machine", file.display());
        return None;
    };
    let blank = |w: &[u8], end: &[u8]| w == end;
    let crlf = bytes.windows(4).position(|w| blank(w, b"\r\n\r\n"));
    let lf = bytes.windows(2).position(|w| blank(w, b"\n\n"));
    let (end, gap) = match (crlf, lf) {
        (Some(at), _) => (at, 4),
        (None, Some(at)) => (at, 2),
        (None, None) => panic!("{name} has no head"),
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    Some((head, bytes[end + gap..].to_vec()))
}

/// The recorded head with the length of what follows; the body a byte a chunk if it came in chunks.
fn replay(head: &str, body: &[u8]) -> Vec<Step> {
    let is_chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let lines = head
        .lines()
        .filter(|l| !l.to_ascii_lowercase().starts_with("content-length"));
    let head: Vec<_> = lines.map(str::trim_end).collect();
    let head = head.join("\r\n");
    if !is_chunked {
        let length = body.len();
        return vec![
            send(&format!("{head}\r\ncontent-length: {length}\r\n\r\n")),
            Step::Send(body.to_vec()),
        ];
    }
    let mut steps = vec![send(&format!("{head}\r\n\r\n"))];
    steps.extend(body.chunks(1).map(chunk));
    steps.push(last());
    steps
}

fn seen(name: &str, features: Features, output_tokens: u32) -> Option<Observed> {
    let (head, body) = sample(name)?;
    let mock = Mock::always(replay(&head, &body));
    let mut ask = ask(0.0);
    ask.output_tokens = output_tokens;
    let (vocabulary, limits) = (Vocabulary::default(), Limits::default());
    let mut seen = run(
        &mock.target(),
        features,
        &vocabulary,
        &[ask],
        &limits,
        &Patient,
    )
    .unwrap();
    Some(seen.requests.remove(0))
}

#[test]
fn chat_of_vllm_is_read() {
    let Some(seen) = seen("vllm_sse_chat_request_metrics.txt", FEATURES, 8) else {
        return;
    };
    assert_eq!(seen.status, RequestStatus::Ok, "{seen:#?}");
    assert_eq!((seen.prompt_tokens, seen.output_tokens), (Some(38), 8));
    assert_eq!(seen.cached_tokens, Some(0));
    let ms = |s: Option<f64>| s.map(|s| (s * 1e3).round());
    assert_eq!(ms(seen.server.ttft_s), Some(73.0));
    assert_eq!(ms(seen.server.decode_s), Some(319.0));
    assert_eq!(ms(seen.server.queue_s), Some(0.0));
    let id = seen.server_request_id.as_deref().unwrap();
    assert!(
        id.starts_with("57bf843b") || id.starts_with("chatcmpl-"),
        "{id}"
    );
    assert!(seen.text.starts_with("The answer to this"), "{}", seen.text);
    assert!(seen.first_event_s.is_some() && seen.first_event_s <= seen.first_token_s);
}

#[test]
fn usage_on_each_event_of_vllm_counts_each() {
    let Some(seen) = seen("vllm_sse_completions.txt", FEATURES, 4) else {
        return;
    };
    assert_eq!(seen.status, RequestStatus::Ok, "{seen:#?}");
    assert_eq!(seen.source, TokenSource::ContinuousUsage);
    let tokens: Vec<_> = seen.events.iter().map(|e| e.1).collect();
    assert_eq!(tokens, [1, 1, 1, 1]);
    assert_eq!(seen.text, " a canvas of colors");
    assert!(seen.warnings.is_empty(), "{:?}", seen.warnings);
}

#[test]
fn answers_of_llamacpp_are_read() {
    let Some(chat) = seen("llama_sse_chat.txt", FEATURES, 7) else {
        return;
    };
    assert_eq!(chat.status, RequestStatus::Ok, "{chat:#?}");
    assert_eq!((chat.prompt_tokens, chat.output_tokens), (Some(38), 7));
    assert_eq!(chat.server.prefill_s, Some(181.354 / 1e3));
    assert_eq!(chat.server.decode_s, Some(119.753 / 1e3));
    let text = seen("llama_sse_completions.txt", FEATURES, 4).unwrap();
    assert_eq!(text.status, RequestStatus::Ok, "{text:#?}");
    assert_eq!(text.text, " a canvas of endless");
    let timed = seen("llama_sse_chat_timings_per_token.txt", FEATURES, 1).unwrap();
    assert!(timed.status.is_complete(), "{timed:#?}");
}

#[test]
fn answers_that_are_no_stream_are_read() {
    for name in ["vllm_chat_nonstream.txt", "llama_chat_nonstream.txt"] {
        let Some(seen) = seen(name, FEATURES, 1) else {
            return;
        };
        assert_eq!(seen.status, RequestStatus::Ok, "{name}: {seen:#?}");
        assert!(seen.warnings.contains(&Warning::NotStreamed));
        assert!(!seen.text.is_empty() && seen.output_tokens > 0);
    }
}

#[test]
fn refusals_of_real_servers_have_their_classes() {
    use RequestStatus::{ContextOverflow, Http4xx, Http5xx};
    for (name, status) in [
        ("vllm_err_prompt_too_long.txt", ContextOverflow),
        ("vllm_err_max_tokens_too_large.txt", ContextOverflow),
        ("vllm_err_unknown_model.txt", Http4xx),
        ("vllm_err_bad_param_range.txt", Http4xx),
        ("vllm_err_bad_json.txt", Http4xx),
        ("llama_err_prompt_too_long.txt", ContextOverflow),
        ("llama_err_bad_param_type.txt", Http4xx),
        ("llama_err_404.txt", Http4xx),
        ("llama_err_bad_json.txt", Http5xx),
    ] {
        let Some(seen) = seen(name, FEATURES, 1) else {
            return;
        };
        assert_eq!(seen.status, status, "{name}: {seen:#?}");
        assert!(seen.error.is_some_and(|e| !e.is_empty()), "{name}");
    }
}

#[test]
fn metrics_of_real_servers_are_read() {
    for (name, metric) in [
        ("vllm_metrics.txt", "vllm:num_requests_running"),
        ("llama_metrics.txt", "llamacpp:requests_processing"),
    ] {
        let Some((_, body)) = sample(name) else {
            return;
        };
        let text = String::from_utf8(body).unwrap();
        let samples = prometheus::parse(&text);
        let lines = text.lines().map(str::trim);
        let expected = lines.filter(|l| !l.is_empty() && !l.starts_with('#'));
        assert_eq!(samples.len(), expected.count(), "{name}");
        let sum = prometheus::sum(&samples, &[metric.to_owned()]);
        assert!(sum.is_some(), "{name}: no {metric}");
    }
}
