use std::net::TcpStream;

use sbt_serve::{Ended, Fault, FaultRates, Handle};
use serde_json::json;

use crate::raw::{Arrived, CHAT, End, chat, fixed, get, post, start};

/// What arrives of a streamed chat of eight tokens with a fault.
fn streamed(fault: Fault) -> Arrived {
    let server = start(fixed());
    post(server.addr(), CHAT, &header(fault), &chat(8))
}

/// The same chat without streaming.
fn whole(fault: Fault) -> Arrived {
    let server = start(fixed());
    let mut body = chat(8);
    body["stream"] = json!(false);
    post(server.addr(), CHAT, &header(fault), &body)
}

fn header(fault: Fault) -> String {
    format!("x-sbt-fault: {fault}\r\n")
}

/// Tokens, why they ended, whether usage and `[DONE]` came, and how the bytes ended.
fn outline(arrived: &Arrived) -> (usize, Option<String>, bool, bool, End) {
    let usage = arrived.usage().is_some();
    let finish = arrived.finish_reason();
    (
        arrived.texts().len(),
        finish,
        usage,
        arrived.done(),
        arrived.end,
    )
}

fn length() -> Option<String> {
    Some("length".to_owned())
}

fn stop() -> Option<String> {
    Some("stop".to_owned())
}

#[test]
fn http_errors_come_with_their_status_and_an_error_object() {
    let cases = [
        (Fault::Http503, 503),
        (Fault::Http429, 429),
        (Fault::Http500, 500),
        (Fault::Http400, 400),
        (Fault::ContextOverflow, 400),
        (Fault::Unauthorized, 401),
    ];
    for (fault, status) in cases {
        let arrived = streamed(fault);
        assert_eq!((arrived.status(), arrived.end), (status, End::Complete));
        assert_eq!(arrived.json()["error"]["code"], status);
        let retry = arrived.header("retry-after");
        assert_eq!(retry.is_some(), fault == Fault::Http429);
        let overflow = arrived.text().contains("maximum context length");
        assert_eq!(overflow, fault == Fault::ContextOverflow);
    }
}

#[test]
fn error_json_is_an_error_under_status_200() {
    let arrived = streamed(Fault::ErrorJson);
    assert_eq!(arrived.status(), 200);
    assert_eq!(
        arrived.header("content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(arrived.json()["error"]["type"], "InternalServerError");
}

#[test]
fn error_events_stand_before_any_token_or_after_half() {
    for (fault, tokens) in [(Fault::ErrorFirst, 0), (Fault::ErrorAfter, 4)] {
        let arrived = streamed(fault);
        assert_eq!(arrived.status(), 200);
        assert_eq!(
            outline(&arrived),
            (tokens, None, false, true, End::Complete)
        );
        let error = arrived.values().pop().unwrap();
        assert_eq!(error["error"]["code"], 500);
    }
}

#[test]
fn garbage_is_one_line_that_is_no_json() {
    let arrived = streamed(Fault::Garbage);
    assert_eq!(outline(&arrived), (8, length(), true, true, End::Complete));
    let events = arrived.events();
    assert_eq!(events.len(), 1 + 8 + 1 + 2);
    let broken = |event: &&String| serde_json::from_str::<serde_json::Value>(event).is_err();
    assert_eq!(events.iter().filter(broken).count(), 2, "it and [DONE]");
}

#[test]
fn bad_utf8_is_in_the_text_of_an_event() {
    let arrived = streamed(Fault::BadUtf8);
    assert_eq!(arrived.end, End::Complete);
    let body = arrived.body();
    let quoted = b"\"content\":\"\xff\xfe\"";
    assert_eq!(
        body.windows(quoted.len()).filter(|w| w == quoted).count(),
        1
    );
    assert!(arrived.done());
}

#[test]
fn ends_of_a_stream_are_left_out() {
    let all = streamed(Fault::NoDone);
    assert_eq!(outline(&all), (8, length(), true, false, End::Complete));
    let none = streamed(Fault::NoTerminator);
    assert_eq!(outline(&none), (8, None, false, false, End::Complete));
    let usage = streamed(Fault::NoUsage);
    assert_eq!(outline(&usage), (8, length(), false, true, End::Complete));
    let only = streamed(Fault::OnlyDone);
    assert_eq!(only.events(), ["[DONE]"]);
    let empty = streamed(Fault::Empty);
    assert_eq!(outline(&empty), (0, stop(), true, true, End::Complete));
    assert_eq!(empty.usage().unwrap()["completion_tokens"], 0);
}

#[test]
fn cut_ends_with_fin_and_reset_with_rst_after_half() {
    let cut = streamed(Fault::Cut);
    assert_eq!(outline(&cut), (4, None, false, false, End::Fin));
    // What a client has not read yet may be lost with a reset.
    let reset = streamed(Fault::Reset);
    assert_eq!(reset.end, End::Rst);
    assert!(reset.texts().len() <= 4 && !reset.done());
}

#[test]
fn cut_headers_ends_within_them() {
    let arrived = streamed(Fault::CutHeaders);
    assert_eq!(arrived.end, End::Fin);
    assert_eq!(arrived.bytes.len(), 40);
    assert!(arrived.bytes.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn hangs_are_silent_from_their_place_on() {
    let headers = streamed(Fault::HangHeaders);
    assert_eq!((headers.bytes.len(), headers.end), (0, End::Silence));
    let first = streamed(Fault::HangFirst);
    assert_eq!((first.status(), first.end), (200, End::Silence));
    assert!(first.body().is_empty());
    let half = streamed(Fault::Hang);
    assert_eq!(outline(&half), (4, None, false, false, End::Silence));
}

#[test]
fn slow_comments_are_pings_without_end() {
    let server = start(fixed());
    let text = chat(8).to_string();
    let request = crate::raw::posted(CHAT, &header(Fault::SlowComments), &text);
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 256];
    while String::from_utf8_lossy(&bytes)
        .matches(": ping\n\n")
        .count()
        < 3
    {
        let read = std::io::Read::read(&mut stream, &mut buffer).unwrap();
        assert!(read > 0);
        bytes.extend_from_slice(&buffer[..read]);
    }
    assert!(!String::from_utf8_lossy(&bytes).contains("data:"));
}

#[test]
fn role_early_is_a_write_of_its_own() {
    let arrived = streamed(Fault::RoleEarly);
    assert_eq!(outline(&arrived), (8, length(), true, true, End::Complete));
    assert_eq!(arrived.chunks(), 1 + 8 + 1);
}

#[test]
fn chunked4_puts_four_tokens_into_an_event() {
    let arrived = streamed(Fault::Chunked4);
    let words = arrived.texts();
    let words: Vec<usize> = words.iter().map(|t| t.split_whitespace().count()).collect();
    assert_eq!(words, [4, 4]);
    assert_eq!(arrived.usage().unwrap()["completion_tokens"], 8);
}

#[test]
fn not_streamed_is_one_json_body() {
    let arrived = streamed(Fault::NotStreamed);
    assert_eq!(
        arrived.header("content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(arrived.json()["object"], "chat.completion");
}

#[test]
fn short_stops_at_half_and_wrong_usage_tells_twice() {
    let short = streamed(Fault::Short);
    assert_eq!(outline(&short), (4, stop(), true, true, End::Complete));
    assert_eq!(short.usage().unwrap()["completion_tokens"], 4);
    let wrong = streamed(Fault::WrongUsage);
    assert_eq!(outline(&wrong), (8, length(), true, true, End::Complete));
    assert_eq!(wrong.usage().unwrap()["completion_tokens"], 16);
}

#[test]
fn slow_takes_ten_times_between_tokens() {
    let arrived = streamed(Fault::Slow);
    assert_eq!(outline(&arrived), (8, length(), true, true, End::Complete));
    let metrics = arrived.values().pop().unwrap()["metrics"].clone();
    assert!((metrics["mean_itl_ms"].as_f64().unwrap() - 20.0).abs() < 1e-6);
    assert!((metrics["time_to_first_token_ms"].as_f64().unwrap() - 20.0).abs() < 1e-6);
}

#[test]
fn faults_that_break_a_stream_break_one_body_too() {
    for fault in [Fault::ErrorFirst, Fault::ErrorAfter] {
        assert_eq!(whole(fault).json()["error"]["code"], 500);
    }
    for fault in [Fault::Garbage, Fault::BadUtf8, Fault::OnlyDone] {
        let arrived = whole(fault);
        assert_eq!((arrived.status(), arrived.end), (200, End::Complete));
        assert!(serde_json::from_slice::<serde_json::Value>(&arrived.body()).is_err());
    }
    assert_eq!(whole(Fault::Cut).end, End::Fin);
    assert_eq!(whole(Fault::Reset).end, End::Rst);
    assert_eq!(whole(Fault::Hang).end, End::Silence);
    assert_eq!(whole(Fault::NoUsage).json()["usage"], json!(null));
    assert_eq!(
        whole(Fault::WrongUsage).json()["usage"]["completion_tokens"],
        16
    );
    let empty = whole(Fault::Empty).json();
    assert_eq!(empty["choices"][0]["message"]["content"], "");
    let short = whole(Fault::Short).json();
    assert_eq!(short["choices"][0]["finish_reason"], "stop");
}

#[test]
fn unknown_fault_is_refused_with_the_list() {
    let server = start(fixed());
    let arrived = post(server.addr(), CHAT, "x-sbt-fault: nope\r\n", &chat(2));
    assert_eq!(arrived.status(), 400);
    assert!(arrived.text().contains("http_503"));
}

fn played(server: &Handle, requests: usize) -> Vec<u16> {
    let status = |_| post(server.addr(), CHAT, "", &chat(1)).status();
    (0..requests).map(status).collect()
}

#[test]
fn rates_play_the_same_faults_on_the_same_requests() {
    let options = || sbt_serve::Options {
        faults: FaultRates {
            rates: vec![(Fault::Http503, 0.3)],
            seed: 1,
        },
        ..fixed()
    };
    let (first, second) = (start(options()), start(options()));
    let statuses = played(&first, 40);
    assert_eq!(statuses, played(&second, 40));
    let failed = statuses.iter().filter(|status| **status == 503).count();
    assert!((4..=20).contains(&failed), "{failed} of 40 at 0.3");
    assert_eq!(get(first.addr(), "/health").status(), 200);
}

#[test]
fn crash_closes_every_connection_and_ends_the_server() {
    let options = sbt_serve::Options {
        crash_after: Some(2),
        ..fixed()
    };
    let server = start(options);
    assert_eq!(post(server.addr(), CHAT, "", &chat(1)).status(), 200);
    let crashed = post(server.addr(), CHAT, "", &chat(500));
    assert!(matches!(crashed.end, End::Fin | End::Rst));
    assert!(!crashed.done());
    assert!(TcpStream::connect(server.addr()).is_err());
    assert_eq!(server.stop().unwrap(), Ended::Crashed);
}

#[test]
fn refusal_is_of_new_connections_alone() {
    let options = sbt_serve::Options {
        refuse_after: Some(1),
        ..fixed()
    };
    let server = start(options);
    let arrived = post(server.addr(), CHAT, "", &chat(20));
    assert!(arrived.done(), "the stream under way goes on");
    assert!(TcpStream::connect(server.addr()).is_err());
    assert_eq!(server.stop().unwrap(), Ended::Stopped);
}

#[test]
fn port_in_use_is_an_error() {
    let server = start(fixed());
    let options = sbt_serve::Options {
        port: server.addr().port(),
        ..fixed()
    };
    let error = sbt_serve::spawn(options).err().unwrap().to_string();
    assert!(error.starts_with("cannot listen at 127.0.0.1:"), "{error}");
}
