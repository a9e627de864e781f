//! Answers in every form that HTTP/1.1 has.

use sbt_client::Limits;
use sbt_schemas::RequestStatus::{self, Ok, SseGarbage};

use crate::mock::{Mock, Step, chunk, good, head, last, plain, send};
use crate::support::{ask, run_all, run_one};

const EVENTS: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
    data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n";

fn status(steps: Vec<Step>) -> RequestStatus {
    run_one(&Mock::always(steps).target(), &Limits::default()).status
}

#[test]
fn body_may_be_counted_or_end_with_the_connection() {
    let length = EVENTS.len();
    let kind = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    let counted = format!("{kind}content-length: {length}\r\n\r\n{EVENTS}");
    assert_eq!(status(vec![send(&counted)]), Ok);
    let closing = format!("{kind}\r\n{EVENTS}");
    assert_eq!(status(vec![send(&closing), Step::Close]), Ok);
}

#[test]
fn head_that_comes_before_the_answer_s_own_is_passed_over() {
    let steps = [
        vec![send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")],
        good(4),
    ];
    assert_eq!(status(steps.concat()), Ok);
}

#[test]
fn answer_may_come_byte_by_byte() {
    let mut bytes = Vec::new();
    for step in good(2) {
        let Step::Send(whole) = step else {
            panic!("{step:?}")
        };
        bytes.extend(whole.into_iter().map(|byte| Step::Send(vec![byte])));
    }
    assert_eq!(status(bytes), Ok);
}

#[test]
fn chunk_larger_than_any_buffer_is_read_with_a_stamp_for_each_read() {
    let token = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n".repeat(10_000);
    let whole = [token.as_bytes(), EVENTS.as_bytes()].concat();
    let mock = Mock::always(vec![head(), chunk(&whole), last()]);
    let one = run_one(&mock.target(), &Limits::default());
    assert_eq!((one.status, one.events.len()), (Ok, 10_001));
    assert_eq!(one.bytes_in, whole.len() as u64);
    assert!(one.events.is_sorted_by_key(|event| event.0));
}

#[test]
fn endless_head_is_no_answer() {
    let fields = "a: b\r\n".repeat(50_000);
    let endless = send(&format!("HTTP/1.1 200 OK\r\n{fields}"));
    assert_eq!(status(vec![endless, Step::Hang]), SseGarbage);
}

#[test]
fn refusal_before_the_whole_request_was_taken_is_the_answer() {
    // the request is larger than what the system holds for a server that does not read
    let mock = Mock::unread(plain(
        "413 Payload Too Large",
        "connection: close\r\n",
        "too long",
    ));
    let mut large = ask(0.0);
    large.prompt_tokens = 4_000_000;
    let one = run_all(&mock.target(), &[large], &Limits::default())
        .requests
        .remove(0);
    assert_eq!((one.http_status, one.sent_s), (Some(413), None));
    assert_eq!(one.error.as_deref(), Some("too long"));
}
