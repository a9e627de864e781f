//! The schedule is kept: order, limits, followers, conversations, ends.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use sbt_client::{
    Api, Ask, AtCap, ClientError, Counts, Limits, Observer, PromptWords, Vocabulary, Warning, run,
};
use sbt_schemas::RequestStatus::{self, *};

use crate::mock::{Mock, Step, good, head, plain, token};
use crate::support::{FEATURES, Patient, ask, run_all, run_one};

fn after(before: usize, pause_s: f64, continues: bool) -> Ask {
    Ask {
        after: Some(before),
        continues,
        ..ask(pause_s)
    }
}

fn statuses(seen: &sbt_client::Observation) -> Vec<RequestStatus> {
    seen.requests.iter().map(|r| r.status).collect()
}

#[test]
fn stamps_of_a_good_answer_are_in_order() {
    let mock = Mock::always(good(4));
    let one = run_one(&mock.target(), &Limits::default());
    assert_eq!(one.status, Ok, "{one:?}");
    let stamps = [
        Some(one.intended_s),
        one.dispatched_s,
        one.conn_start_s,
        one.conn_ready_s,
        one.sent_s,
        one.headers_s,
        one.first_event_s,
        one.first_token_s,
        one.last_token_s,
        one.end_s,
    ];
    assert!(stamps.iter().all(Option::is_some), "{stamps:?}");
    assert!(stamps.is_sorted(), "{stamps:?}");
    assert_eq!(one.events.len(), 4);
    assert_eq!(one.text, " a a a a");
    assert_eq!((one.attempts, one.http_status), (1, Some(200)));
}

#[test]
fn requests_say_what_the_features_allow() {
    let mock = Mock::always(good(4));
    run_one(&mock.target(), &Limits::default());
    let request = &mock.received()[0];
    assert!(
        request
            .head
            .starts_with("POST /v1/chat/completions HTTP/1.1")
    );
    assert_eq!(request.body["model"], "mock");
    assert_eq!(request.body["max_tokens"], 4);
    assert_eq!(request.body["ignore_eos"], true);
    assert_eq!(request.body["stream_options"]["include_usage"], true);
    assert_eq!(request.body.get("min_tokens"), None);
    let content = request.body["messages"][0]["content"].as_str().unwrap();
    assert_eq!(content.split_whitespace().count(), 8);
}

#[test]
fn nothing_is_sent_before_its_time() {
    let mock = Mock::always(good(4));
    let asks: Vec<_> = [0.15, 0.0, 0.05].map(ask).to_vec();
    let seen = run_all(&mock.target(), &asks, &Limits::default());
    for (ask, one) in asks.iter().zip(&seen.requests) {
        assert_eq!(one.intended_s, ask.start_s);
        assert!(one.dispatched_s >= Some(ask.start_s), "{one:?}");
    }
    assert!(seen.lag.max_s >= seen.lag.p50_s);
    assert!(seen.client_cpu_s > 0.0 && seen.ended_s >= 0.15);
}

#[test]
fn connection_serves_on_and_a_closed_one_is_replaced() {
    let mock = Mock::always(good(4));
    let asks = [ask(0.0), after(0, 0.0, false), after(1, 0.0, false)];
    let seen = run_all(&mock.target(), &asks, &Limits::default());
    assert!(mock.received().iter().all(|r| r.connection == 0));
    assert_eq!(seen.requests[2].conn_reused, Some(true));

    let mock = Mock::always([good(4), vec![Step::Close]].concat());
    let asks = [ask(0.0), after(0, 0.1, false)];
    let seen = run_all(&mock.target(), &asks, &Limits::default());
    assert_eq!(statuses(&seen), [Ok, Ok]);
    assert_eq!(seen.requests[1].conn_reused, Some(false));
}

#[test]
fn connections_opened_before_are_used() {
    let mock = Mock::always(good(4));
    let limits = Limits {
        open_before: 2,
        ..Limits::default()
    };
    let seen = run_all(&mock.target(), &[ask(0.0)], &limits);
    let one = &seen.requests[0];
    assert_eq!((one.conn_start_s, one.conn_reused), (None, Some(false)));
    assert_eq!(
        mock.received()[0].connection,
        1,
        "the last opened goes first"
    );
}

#[test]
fn cap_makes_requests_wait_or_drops_them() {
    let slow = || Mock::always([vec![Step::PauseMs(100)], good(4)].concat());
    let asks = [ask(0.0), ask(0.0), ask(0.0)];
    let limits = Limits {
        max_in_flight: Some(2),
        ..Limits::default()
    };
    let seen = run_all(&slow().target(), &asks, &limits);
    assert_eq!(statuses(&seen), [Ok, Ok, Ok]);
    assert_eq!(seen.peak_in_flight, 2);
    let third = &seen.requests[2];
    let end_s = |i: usize| seen.requests[i].end_s.unwrap();
    assert!(third.dispatched_s.unwrap() >= end_s(0).min(end_s(1)));
    assert_eq!(third.warnings, [Warning::LateSend]);

    let limits = Limits {
        at_cap: AtCap::Shed,
        ..limits
    };
    let seen = run_all(&slow().target(), &asks, &limits);
    assert_eq!(statuses(&seen), [Ok, Ok, NotSentCap]);
}

#[test]
fn follower_starts_after_the_end_and_its_pause() {
    let mock = Mock::always(good(4));
    let seen = run_all(
        &mock.target(),
        &[ask(0.0), after(0, 0.05, false)],
        &Limits::default(),
    );
    let end_s = seen.requests[0].end_s.unwrap();
    assert_eq!(seen.requests[1].intended_s, end_s + 0.05);
}

#[test]
fn pause_that_a_refusal_asks_for_is_kept_by_the_next() {
    const DATED: &str = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    for (date, asked, pause_s) in [
        ("", "0.2", 0.2),
        (DATED, "Sun, 06 Nov 1994 08:49:38 GMT", 1.0),
        (DATED, "Sun, 06 Nov 1994 08:49:30 GMT", 0.0),
    ] {
        let headers = format!("{date}retry-after: {asked}\r\n");
        let mock = Mock::start(move |request| match request.number {
            0 => plain("503 Service Unavailable", &headers, "busy"),
            _ => good(4),
        });
        let asks = [ask(0.0), after(0, 0.0, false)];
        let seen = run_all(&mock.target(), &asks, &Limits::default());
        assert_eq!(statuses(&seen), [Http5xx, Ok]);
        assert_eq!(seen.requests[0].retry_after_s, Some(pause_s), "{asked}");
        let end_s = seen.requests[0].end_s.unwrap();
        assert_eq!(seen.requests[1].intended_s, end_s + pause_s);
    }
    // without a date of its own the answer's other date says nothing
    let headers = "retry-after: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
    let mock = Mock::always(plain("503 Service Unavailable", headers, "busy"));
    let one = run_one(&mock.target(), &Limits::default());
    assert_eq!(one.retry_after_s, None);
    assert!(!one.warnings.contains(&Warning::RetryAfter));
}

/// Keeps the longest silence that it was told of, and ends the run at one of 1 s.
struct Listener(Mutex<f64>);

impl Observer for Listener {
    fn progress(&self, counts: Counts) {
        let mut longest_s = self.0.lock().unwrap();
        *longest_s = longest_s.max(counts.silent_s);
    }

    fn stop(&self) -> bool {
        *self.0.lock().unwrap() >= 1.0
    }
}

#[test]
fn silence_is_told_while_requests_wait_and_not_between_them() {
    let silence_s = |mock: &Mock, asks: &[Ask]| {
        let listener = Listener(Mutex::new(0.0));
        let (words, limits) = (Vocabulary::default(), Limits::default());
        run(&mock.target(), FEATURES, &words, asks, &limits, &listener).unwrap();
        listener.0.into_inner().unwrap()
    };
    let hung = Mock::always(vec![head(), token("a"), Step::Hang]);
    assert!(silence_s(&hung, &[ask(0.0), ask(0.2)]) >= 1.0);
    let good = Mock::always(good(4));
    // the pause between them is none
    assert!(silence_s(&good, &[ask(0.0), ask(1.5)]) < 1.0);
}

#[test]
fn turn_of_a_chat_carries_the_real_answer() {
    let mock = Mock::always(good(4));
    let mut second = after(0, 0.0, true);
    // usage of the mock: 8 + 4 tokens before
    second.prompt_tokens = 17;
    run_all(&mock.target(), &[ask(0.0), second], &Limits::default());
    let messages = &mock.received()[1].body["messages"];
    let first = &mock.received()[0].body["messages"][0];
    assert_eq!(&messages[0], first);
    assert_eq!(messages[1]["role"], "assistant");
    assert_eq!(messages[1]["content"], " a a a a");
    let new = messages[2]["content"].as_str().unwrap();
    assert_eq!(new.split_whitespace().count(), 5);
}

#[test]
fn turn_of_completions_carries_the_text_on() {
    let mock = Mock::always(good(4));
    let mut target = mock.target();
    target.api = Api::Completions;
    let mut second = after(0, 0.0, true);
    second.words = PromptWords::Given(" and now".to_owned());
    run_all(&target, &[ask(0.0), second], &Limits::default());
    let received = mock.received();
    let first = received[0].body["prompt"].as_str().unwrap();
    assert_eq!(
        received[1].body["prompt"],
        format!("{first} a a a a and now")
    );
}

#[test]
fn failed_turn_ends_its_session_but_not_the_user() {
    let mock = Mock::start(|request| match request.number {
        0 => vec![head(), token("a"), Step::Close],
        _ => good(4),
    });
    let asks = [
        ask(0.0),
        after(0, 0.0, true),
        after(1, 0.0, true),
        after(2, 0.0, false),
    ];
    let seen = run_all(&mock.target(), &asks, &Limits::default());
    assert_eq!(statuses(&seen), [StreamCut, NotSentLate, NotSentLate, Ok]);
    let said = seen.requests[1].error.as_deref().unwrap();
    assert!(said.contains("stream_cut"), "{said}");
}

#[test]
fn retries_are_counted_and_the_last_is_seen() {
    let mock = Mock::start(|request| match request.number {
        0 | 1 => plain("503 Service Unavailable", "", "busy"),
        _ => good(4),
    });
    let limits = Limits {
        retries: 2,
        backoff_s: 0.01,
        ..Limits::default()
    };
    let one = run_one(&mock.target(), &limits);
    assert_eq!((one.status, one.attempts), (Ok, 3));
    assert!(one.sent_s > Some(one.intended_s + 0.03));

    let mock = Mock::always(plain("400 Bad Request", "", "no"));
    let one = run_one(&mock.target(), &limits);
    assert_eq!((one.status, one.attempts), (Http4xx, 1));
}

#[test]
fn drain_limit_cancels_what_hangs() {
    let mock = Mock::always(vec![head(), token("a"), Step::Hang]);
    let limits = Limits {
        drain_timeout_s: Some(0.3),
        ..Limits::default()
    };
    let seen = run_all(&mock.target(), &[ask(0.0)], &limits);
    assert_eq!(statuses(&seen), [CancelledByClient]);
    assert_eq!(seen.requests[0].events.len(), 1);
}

#[test]
fn background_ends_with_the_last_measured_request() {
    let mock = Mock::always(good(4));
    let background = Ask {
        measured: false,
        ..ask(60.0)
    };
    let seen = run_all(&mock.target(), &[background, ask(0.0)], &Limits::default());
    assert_eq!(statuses(&seen), [NotSentLate, Ok]);
    assert!(seen.ended_s < 60.0);
}

struct Stopper(AtomicBool);

impl Observer for Stopper {
    fn progress(&self, counts: Counts) {
        self.0.store(counts.ok > 0, Ordering::Relaxed);
    }

    fn stop(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn stop_accounts_for_every_ask() {
    let mock = Mock::start(|request| match request.body["max_tokens"].as_u64() {
        Some(4) => good(4),
        _ => vec![head(), Step::Hang],
    });
    let hangs = Ask {
        output_tokens: 5,
        ..ask(0.0)
    };
    // a chain long enough to overflow a stack that recursed over it
    let mut asks = vec![ask(0.0), hangs, ask(60.0)];
    asks.extend((2..20_000).map(|before| after(before, 0.0, false)));
    let vocabulary = Vocabulary::default();
    let limits = Limits::default();
    let stopper = Stopper(AtomicBool::new(false));
    let seen = run(
        &mock.target(),
        FEATURES,
        &vocabulary,
        &asks,
        &limits,
        &stopper,
    )
    .unwrap();
    assert_eq!(seen.requests[0].status, Ok);
    assert_eq!(seen.requests[1].status, CancelledByClient);
    assert!(seen.requests[2..].iter().all(|r| r.status == NotSentLate));
    assert_eq!(seen.requests.len(), asks.len());
}

#[test]
fn schedules_that_contradict_themselves_are_refused() {
    let target = Mock::always(good(1)).target();
    for (asks, problem) in [
        (vec![after(0, 0.0, false)], "follow an earlier"),
        (vec![ask(f64::NAN)], "start_s"),
        (vec![ask(-1.0)], "start_s"),
        (
            vec![Ask {
                continues: true,
                ..ask(0.0)
            }],
            "continues",
        ),
        (
            vec![Ask {
                output_tokens: 0,
                ..ask(0.0)
            }],
            "output_tokens",
        ),
    ] {
        let limits = Limits::default();
        let error = run(
            &target,
            FEATURES,
            &Vocabulary::default(),
            &asks,
            &limits,
            &Patient,
        );
        let error = error.unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
    }
    let none = Vocabulary {
        words: Vec::new(),
        ..Vocabulary::default()
    };
    let limits = Limits::default();
    let error = run(&target, FEATURES, &none, &[ask(0.0)], &limits, &Patient).unwrap_err();
    assert!(matches!(error, ClientError::NoWords), "{error}");
}

#[test]
fn empty_schedule_is_over_at_once() {
    let seen = run_all(&Mock::always(good(1)).target(), &[], &Limits::default());
    assert_eq!(seen.peak_in_flight, 0);
}
