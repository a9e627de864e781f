//! Every fault has its class, whatever came before it.

use sbt_client::{ApiKey, Limits, Observed, Target, Warning};
use sbt_schemas::RequestStatus::{self, *};

use crate::mock::{
    Mock, Step, chunk, done, event, finish, good, head, last, plain, send, token, usage,
};
use crate::support::{ask, run_all, run_one};

const ERROR: &str = r#"{"error":{"message":"EngineCore encountered an issue","code":500}}"#;

/// Limits that a healthy mock never meets.
fn patient() -> Limits {
    Limits {
        total_timeout_s: Some(30.0),
        ..Limits::default()
    }
}

fn seen(steps: Vec<Step>) -> Observed {
    run_one(&Mock::always(steps).target(), &patient())
}

fn check(cases: Vec<(&str, Vec<Step>, RequestStatus)>) {
    for (name, steps, status) in cases {
        let seen = seen(steps);
        assert_eq!(seen.status, status, "{name}: {seen:#?}");
        assert!(seen.end_s.is_some(), "{name}");
        if !seen.status.is_complete() {
            assert!(
                seen.error.is_some() || matches!(status, Empty | NoTerminator),
                "{name}: no reason"
            );
        }
    }
}

#[test]
fn breaks_have_their_classes() {
    let pause = || Step::PauseMs(20);
    let with = |steps: &[Step]| [&[head(), token("a")], steps].concat();
    check(vec![
        ("FIN after a token", with(&[Step::Close]), StreamCut),
        (
            "RST after a token",
            with(&[pause(), Step::Reset]),
            ConnReset,
        ),
        ("FIN before a token", vec![head(), Step::Close], StreamCut),
        ("FIN before the head", vec![Step::Close], StreamCut),
        (
            "FIN within the head",
            vec![send("HTTP/1.1 200 O"), Step::Close],
            StreamCut,
        ),
        ("RST before the head", vec![Step::Reset], ConnReset),
        (
            "FIN within an event",
            with(&[chunk(b"data: {\"cho"), Step::Close]),
            StreamCut,
        ),
        (
            "FIN after a reason",
            with(&[finish("length"), Step::Close]),
            StreamCut,
        ),
        (
            "FIN after [DONE]",
            with(&[finish("length"), done(), Step::Close]),
            Ok,
        ),
        (
            "no HTTP",
            vec![send("SSH-2.0-OpenSSH\r\n\r\n"), Step::Close],
            SseGarbage,
        ),
        (
            "bad chunk size",
            with(&[send("zz\r\n"), Step::Close]),
            StreamCut,
        ),
    ]);
}

#[test]
fn streams_that_end_well_but_are_wrong_have_their_classes() {
    let with = |steps: &[Step]| [&[head(), token("a")], steps, &[last()]].concat();
    check(vec![
        ("error after tokens", with(&[event(ERROR)]), SseError),
        (
            "error first",
            vec![head(), event(ERROR), done(), last()],
            SseError,
        ),
        (
            "error then cut",
            vec![head(), event(ERROR), Step::Close],
            SseError,
        ),
        (
            "event: error",
            with(&[chunk(b"event: error\ndata: x\n\n")]),
            SseError,
        ),
        ("bad JSON", with(&[event("{oops"), done()]), SseGarbage),
        (
            "bad UTF-8",
            with(&[
                chunk(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n"),
                done(),
            ]),
            SseGarbage,
        ),
        (
            "HTML",
            with(&[chunk(b"<html>gateway</html>\n\n")]),
            SseGarbage,
        ),
        ("only [DONE]", vec![head(), done(), last()], Empty),
        (
            "only comments",
            vec![head(), chunk(b": ping\n\n"), last()],
            NoTerminator,
        ),
        ("no end", with(&[]), NoTerminator),
        ("no [DONE]", with(&[finish("length")]), Ok),
        ("no reason", with(&[done()]), Ok),
        (
            "stopped early",
            with(&[finish("stop"), usage(8, 1), done()]),
            OkShort,
        ),
        ("no usage", with(&[finish("length"), done()]), Ok),
    ]);
}

#[test]
fn refusals_have_their_classes_and_their_words() {
    let overflow =
        r#"{"error":{"message":"This model's maximum context length is 2048 tokens","code":400}}"#;
    check(vec![
        (
            "503",
            plain("503 Service Unavailable", "", "overloaded"),
            Http5xx,
        ),
        ("429", plain("429 Too Many Requests", "", "{}"), Http429),
        (
            "400",
            plain("400 Bad Request", "", r#"{"error":"temperature"}"#),
            Http4xx,
        ),
        (
            "context",
            plain("400 Bad Request", "", overflow),
            ContextOverflow,
        ),
        ("401", plain("401 Unauthorized", "", "no key"), Http4xx),
        ("404", plain("404 Not Found", "", ""), Http4xx),
        (
            "302",
            plain("302 Found", "location: /else\r\n", ""),
            Http4xx,
        ),
    ]);
    let seen = seen(plain(
        "429 Too Many Requests",
        "retry-after: 2\r\n",
        "slow down",
    ));
    assert_eq!(seen.error.as_deref(), Some("slow down"));
    assert_eq!(
        (seen.http_status, seen.retry_after_s),
        (Some(429), Some(2.0))
    );
    assert_eq!(seen.warnings, [Warning::RetryAfter]);
}

#[test]
fn silence_runs_into_the_clock_that_watches_it() {
    let often = |step: Step| {
        let pair = [step, Step::PauseMs(30)];
        pair.into_iter().cycle().take(2000).collect::<Vec<_>>()
    };
    let pings = || often(chunk(b": ping\n\n"));
    let hang_late = vec![head(), token("a"), Step::Hang];
    let ping_late = [vec![head(), token("a")], pings()].concat();
    let drip = [vec![head()], often(token("a"))].concat();
    let limit = |ttft, idle, total| Limits {
        ttft_timeout_s: ttft,
        idle_timeout_s: idle,
        total_timeout_s: total,
        ..Limits::default()
    };
    for (name, steps, limits, status) in [
        (
            "no head",
            vec![Step::Hang],
            limit(Some(0.2), None, None),
            TimeoutTtft,
        ),
        (
            "no event",
            vec![head(), Step::Hang],
            limit(Some(0.2), Some(0.1), None),
            TimeoutTtft,
        ),
        (
            "pings only",
            [vec![head()], pings()].concat(),
            limit(Some(0.3), None, None),
            TimeoutTtft,
        ),
        (
            "hang",
            hang_late,
            limit(Some(30.0), Some(0.2), None),
            TimeoutIdle,
        ),
        (
            "pings after a token",
            ping_late,
            limit(None, Some(0.3), None),
            TimeoutIdle,
        ),
        (
            "drip",
            drip,
            limit(Some(30.0), Some(30.0), Some(0.5)),
            TimeoutTotal,
        ),
    ] {
        let seen = run_one(&Mock::always(steps).target(), &limits);
        assert_eq!(seen.status, status, "{name}: {seen:#?}");
    }
}

#[test]
fn hosts_that_are_not_there_have_their_classes() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let dead = Target::parse(&format!("http://127.0.0.1:{port}/v1")).unwrap();
    let one = run_one(&dead, &patient());
    assert_eq!(one.status, ConnectRefused, "{one:#?}");
    assert_eq!(one.sent_s, None);
    let unknown = Target::parse("http://no-such-host.invalid/v1").unwrap();
    let one = run_one(&unknown, &patient());
    assert_eq!(one.status, Dns, "{one:#?}");
}

#[test]
fn role_alone_is_no_token() {
    let role = event(r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#);
    let steps = [
        vec![head(), role, Step::PauseMs(100)],
        good(4)[1..].to_vec(),
    ]
    .concat();
    let seen = seen(steps);
    assert_eq!((seen.status, seen.events.len()), (Ok, 4));
    assert!(seen.first_event_s < seen.first_token_s, "{seen:#?}");
}

#[test]
fn several_tokens_an_event_are_spread() {
    let four = event(r#"{"choices":[{"delta":{"content":" a b c d"}}]}"#);
    let end = [finish("length"), usage(8, 8), done(), last()];
    let steps = [vec![head(), four.clone(), four], end.to_vec()].concat();
    let seen = seen(steps);
    let tokens: Vec<_> = seen.events.iter().map(|e| e.1).collect();
    assert_eq!(tokens, [4, 4]);
    assert_eq!(
        seen.warnings,
        [Warning::UsageMismatch, Warning::MultiTokenChunks]
    );
}

#[test]
fn answer_that_comes_whole_has_no_first_token() {
    let body = r#"{"choices":[{"message":{"content":"a b"},"finish_reason":"length"}],"usage":{"prompt_tokens":8,"completion_tokens":4}}"#;
    let whole = seen(plain("200 OK", "", body));
    assert_eq!((whole.status, whole.first_token_s), (Ok, None));
    assert_eq!(whole.output_tokens, 4);
    assert_eq!(seen(plain("200 OK", "", ERROR)).status, SseError);
    assert_eq!(seen(plain("200 OK", "", "<html>")).status, SseGarbage);
}

#[test]
fn key_reaches_the_server_and_no_message() {
    let mock = Mock::always(plain(
        "401 Unauthorized",
        "",
        "bad key: swordfish, sk-abc123",
    ));
    let mut target = mock.target();
    target.key = Some(ApiKey::new("swordfish").unwrap());
    let seen = run_one(&target, &patient());
    assert!(
        mock.received()[0]
            .head
            .contains("authorization: Bearer swordfish")
    );
    assert!(!format!("{seen:?} {target:?}").contains("swordfish"));
    assert_eq!(seen.error.as_deref(), Some("bad key: [key], [key]"));
}

#[test]
fn faults_in_one_of_ten_leave_the_others_as_they_are() {
    let mock = Mock::start(|request| {
        if request.number % 10 == 3 {
            vec![head(), token("a"), event(ERROR), last()]
        } else {
            good(4)
        }
    });
    let asks: Vec<_> = (0..50).map(|i| ask(f64::from(i) * 0.002)).collect();
    let seen = run_all(&mock.target(), &asks, &patient());
    let failed = seen
        .requests
        .iter()
        .filter(|r| r.status == SseError)
        .count();
    let ok = seen.requests.iter().filter(|r| r.status == Ok).count();
    assert_eq!((ok, failed), (45, 5));
    for one in seen.requests.iter().filter(|r| r.status == Ok) {
        assert_eq!((one.output_tokens, one.events.len()), (4, 4));
    }
}
