use proptest::prelude::*;

use super::*;
use crate::sse::SseReader;

const EXPECTED: Expected = Expected {
    output_tokens: 4,
    usage: true,
    ignore_eos: true,
    keep_text: true,
};

/// Reads events that come a second apart, then the stream's end.
fn read_as(expected: Expected, events: &[&str], broken: Option<Fault>) -> Observed {
    let mut seen = Observed::unsent(0.0, RequestStatus::ClientFault, None);
    let mut answer = Answer::new(expected, 0.0);
    let mut reader = SseReader::default();
    for (at, data) in (1..).zip(events) {
        let bytes = format!("{data}\n\n");
        reader.feed(bytes.as_bytes(), &mut |event| {
            answer.event(&mut seen, f64::from(at), event);
        });
    }
    answer.settle(&mut seen, broken);
    seen
}

fn read(events: &[&str]) -> Observed {
    read_as(EXPECTED, events, None)
}

const ROLE: &str = r#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#;
const A: &str = r#"data: {"choices":[{"delta":{"content":"a"}}]}"#;
const LENGTH: &str = r#"data: {"choices":[{"delta":{},"finish_reason":"length"}]}"#;
const STOP: &str = r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
const DONE: &str = "data: [DONE]";

fn usage(tokens: u32) -> String {
    format!(
        r#"data: {{"choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":{tokens},"prompt_tokens_details":{{"cached_tokens":3}}}}}}"#
    )
}

#[test]
fn only_events_with_tokens_count() {
    let seen = read(&[": ping", ROLE, A, A, LENGTH, &usage(2), DONE]);
    assert_eq!(seen.status, RequestStatus::Ok);
    assert_eq!(seen.first_event_s, Some(2.0));
    assert_eq!(seen.first_token_s, Some(3.0));
    assert_eq!(seen.last_token_s, Some(4.0));
    assert_eq!(seen.events, [(3.0, 1), (4.0, 1)]);
    assert_eq!((seen.prompt_tokens, seen.cached_tokens), (Some(9), Some(3)));
    assert_eq!((seen.output_tokens, seen.source), (2, TokenSource::Usage));
    assert_eq!(seen.text, "aa");
    assert!(seen.warnings.is_empty(), "{:?}", seen.warnings);
}

#[test]
fn reasoning_is_a_token_but_no_output() {
    let thought = r#"data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}"#;
    let seen = read(&[thought, A, LENGTH, &usage(2), DONE]);
    assert_eq!(seen.first_token_s, Some(1.0));
    assert_eq!(seen.first_output_s, Some(2.0));
    assert_eq!(seen.text, "a");
}

#[test]
fn hidden_reasoning_is_warned_of() {
    let usage = r#"data: {"choices":[],"usage":{"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":5}}}"#;
    let seen = read(&[A, LENGTH, usage, DONE]);
    assert_eq!(seen.reasoning_tokens, Some(5));
    assert_eq!(seen.warnings, [Warning::HiddenReasoning]);
}

#[test]
fn tool_call_is_a_token() {
    let call = r#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"f"}}]}}]}"#;
    let seen = read(&[call, LENGTH, &usage(1), DONE]);
    assert_eq!((seen.status, seen.events.len()), (RequestStatus::Ok, 1));
}

#[test]
fn usage_on_events_counts_each_and_makes_up_for_events_without_text() {
    let counted = |text: &str, n: u32| {
        format!(r#"data: {{"choices":[{{"text":"{text}"}}],"usage":{{"completion_tokens":{n}}}}}"#)
    };
    let seen = read(&[
        &counted("a", 4),
        &counted("", 5),
        &counted("b", 6),
        LENGTH,
        &usage(6),
        DONE,
    ]);
    assert_eq!(seen.events, [(1.0, 4), (3.0, 2)]);
    assert_eq!(seen.source, TokenSource::ContinuousUsage);
    assert_eq!(seen.warnings, [Warning::MultiTokenChunks]);
}

#[test]
fn tokens_that_usage_alone_knows_are_spread() {
    let seen = read(&[A, A, A, LENGTH, &usage(8), DONE]);
    assert_eq!(seen.events, [(1.0, 2), (2.0, 3), (3.0, 3)]);
    assert_eq!(
        seen.warnings,
        [Warning::UsageMismatch, Warning::MultiTokenChunks]
    );
}

#[test]
fn timings_count_where_usage_is_missing() {
    let timings = r#"data: {"choices":[{"text":"","finish_reason":"length"}],"timings":{"cache_n":2,"prompt_n":5,"prompt_ms":30.0,"predicted_n":1,"predicted_ms":60.0}}"#;
    let seen = read(&[A, timings, DONE]);
    assert_eq!(seen.source, TokenSource::ServerTimings);
    assert_eq!((seen.prompt_tokens, seen.cached_tokens), (Some(7), Some(2)));
    assert_eq!(seen.server.prefill_s, Some(0.03));
    assert_eq!(seen.warnings, [Warning::NoUsage]);
}

#[test]
fn events_are_an_estimate_without_any_count() {
    let seen = read(&[A, A, LENGTH, DONE]);
    assert_eq!((seen.output_tokens, seen.source), (2, TokenSource::Events));
}

#[test]
fn every_end_has_its_status() {
    let bad = r#"data: {"choices":"#;
    let foreign = r#"data: {"hello":1}"#;
    let error = r#"data: {"error":{"message":"dead","code":500}}"#;
    let flat = r#"data: {"object":"error","message":"dead"}"#;
    let named = "event: error\ndata: dead";
    use RequestStatus::*;
    for (events, status) in [
        (&[A, STOP, DONE][..], OkShort),
        (&[A, LENGTH, DONE], Ok),
        (&[A, LENGTH], Ok),
        (&[A, DONE], Ok),
        (&[A], NoTerminator),
        (&[ROLE], NoTerminator),
        (&[], NoTerminator),
        (&[DONE], Empty),
        (&[ROLE, LENGTH, DONE], Empty),
        (&[": ping", DONE], Empty),
        (&[A, bad, DONE], SseGarbage),
        (&[A, foreign, DONE], SseGarbage),
        (&["oops", A, DONE], SseGarbage),
        (&[error, DONE], SseError),
        (&[A, A, error, DONE], SseError),
        (&[A, flat], SseError),
        (&[A, named], SseError),
    ] {
        assert_eq!(read(events).status, status, "{events:?}");
    }
}

#[test]
fn break_counts_unless_the_terminator_came() {
    let cut = || Some((RequestStatus::StreamCut, "cut".to_owned()));
    let seen = read_as(EXPECTED, &[A, LENGTH], cut());
    assert_eq!(seen.status, RequestStatus::StreamCut);
    assert_eq!(seen.error.as_deref(), Some("cut"));
    let seen = read_as(EXPECTED, &[A, LENGTH, DONE], cut());
    assert_eq!((seen.status, seen.error), (RequestStatus::Ok, None));
}

#[test]
fn missing_terminator_after_a_reason_is_a_warning() {
    let seen = read(&[A, LENGTH, &usage(1)]);
    assert_eq!(seen.status, RequestStatus::Ok);
    assert_eq!(seen.warnings, [Warning::NoDone]);
}

#[test]
fn short_answer_is_ok_where_its_end_was_not_to_be_ignored() {
    let expected = Expected {
        ignore_eos: false,
        ..EXPECTED
    };
    assert_eq!(
        read_as(expected, &[A, STOP, DONE], None).status,
        RequestStatus::Ok
    );
}

#[test]
fn whole_answer_has_no_time_to_first_token() {
    let body = br#"{"id":"x","choices":[{"message":{"content":"hi there"},"finish_reason":"length"}],"usage":{"completion_tokens":2,"prompt_tokens":5}}"#;
    let mut seen = Observed::unsent(0.0, RequestStatus::ClientFault, None);
    let mut answer = Answer::new(EXPECTED, 0.0);
    answer.whole(&mut seen, body);
    answer.settle(&mut seen, None);
    assert_eq!(seen.status, RequestStatus::Ok);
    assert_eq!((seen.first_token_s, seen.output_tokens), (None, 2));
    assert_eq!(seen.warnings, [Warning::NotStreamed]);
    assert_eq!(seen.text, "hi there");
}

proptest! {
    #[test]
    fn spread_keeps_the_sum(counts in prop::collection::vec(0_u32..9, 1..40), to in 0_u64..500) {
        let mut events: Vec<_> = counts.iter().map(|&n| (0.0, n)).collect();
        let from = counts.iter().map(|&n| u64::from(n)).sum();
        spread(&mut events, from, to);
        prop_assert_eq!(events.iter().map(|e| u64::from(e.1)).sum::<u64>(), to);
    }

    #[test]
    fn any_data_is_survived(data in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut seen = Observed::unsent(0.0, RequestStatus::ClientFault, None);
        let mut answer = Answer::new(EXPECTED, 0.0);
        answer.event(&mut seen, 1.0, Event::Data(&data));
        answer.settle(&mut seen, None);
        prop_assert!(!seen.status.is_complete());
    }
}
