use sbt_client::Limits;
use sbt_schemas::RequestStatus;

use crate::mock::{Mock, good};
use crate::support::{ask, run_all};

#[test]
fn stamps_of_a_good_answer_are_in_order() {
    let mock = Mock::always(good(4));
    let seen = run_all(&mock.target(), &[ask(0.0)], &Limits::default());
    let one = &seen.requests[0];
    assert_eq!(one.status, RequestStatus::Ok, "{one:?}");
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
    assert!(one.warnings.is_empty(), "{:?}", one.warnings);
}
