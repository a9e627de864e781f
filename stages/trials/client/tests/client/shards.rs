//! Several threads, one run.

use std::collections::BTreeSet;

use sbt_client::{Ask, Limits};
use sbt_schemas::RequestStatus::{self, CancelledByClient, NotSentLate, Ok};

use crate::mock::{Mock, Step, good, head, token};
use crate::support::{ask, run_all};

fn two() -> Limits {
    Limits {
        shards: Some(2),
        ..Limits::default()
    }
}

fn after(before: usize) -> Ask {
    Ask {
        after: Some(before),
        ..ask(0.0)
    }
}

#[test]
fn users_are_shared_out_and_stay_on_their_thread() {
    let mock = Mock::always(good(4));
    // users 0 and 1, three requests each
    let asks = [ask(0.0), ask(0.0), after(0), after(1), after(2), after(3)];
    let seen = run_all(&mock.target(), &asks, &two());
    assert_eq!(seen.shards, 2);
    let shards: Vec<u64> = seen.requests.iter().map(|one| one.shard).collect();
    assert_eq!(shards, [0, 1, 0, 1, 0, 1]);
    assert!(seen.requests.iter().all(|one| one.status == Ok));
    // each thread has its own connection, and no other
    let used: BTreeSet<usize> = mock.received().iter().map(|one| one.connection).collect();
    assert_eq!(used.len(), 2);
    assert!(seen.busiest_cpu_s > 0.0 && seen.busiest_cpu_s < seen.client_cpu_s);
}

#[test]
fn cap_is_one_for_all_threads() {
    let mock = Mock::always([vec![Step::PauseMs(30)], good(4)].concat());
    let limits = Limits {
        max_in_flight: Some(3),
        ..two()
    };
    let asks: Vec<Ask> = (0..12).map(|_| ask(0.0)).collect();
    let seen = run_all(&mock.target(), &asks, &limits);
    assert!(seen.requests.iter().all(|one| one.status == Ok));
    assert_eq!(seen.peak_in_flight, 3);
}

#[test]
fn run_ends_for_all_threads_with_the_last_measured_request() {
    let mock = Mock::start(|request| match request.body["max_tokens"].as_u64() {
        Some(4) => [vec![Step::PauseMs(100)], good(4)].concat(),
        _ => vec![head(), token("a"), Step::Hang],
    });
    let background = |start_s| Ask {
        measured: false,
        output_tokens: 5,
        ..ask(start_s)
    };
    let asks = [
        ask(0.0),
        background(0.0),
        background(60.0),
        background(60.0),
    ];
    let seen = run_all(&mock.target(), &asks, &two());
    let statuses: Vec<RequestStatus> = seen.requests.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [Ok, CancelledByClient, NotSentLate, NotSentLate]);
    assert_eq!(seen.requests[1].shard, 1);
}

#[test]
fn drain_limit_counts_from_the_last_send_of_any_thread() {
    let mock = Mock::always(vec![head(), token("a"), Step::Hang]);
    let limits = Limits {
        drain_timeout_s: Some(0.2),
        ..two()
    };
    let seen = run_all(&mock.target(), &[ask(0.0), ask(0.3)], &limits);
    assert!(
        seen.requests
            .iter()
            .all(|one| one.status == CancelledByClient)
    );
    assert!(seen.ended_s > 0.5, "{}", seen.ended_s);
}
