//! Which request goes over which connection.

use sbt_client::{Ask, Connections, Limits};

use crate::mock::{Mock, Step, good};
use crate::support::{ask, run_all};

/// Two users, three requests each, the second user half a request behind.
fn two_users() -> Vec<Ask> {
    let after = |before| Ask {
        after: Some(before),
        ..ask(0.0)
    };
    vec![ask(0.0), ask(0.02), after(0), after(1), after(2), after(3)]
}

/// The connection of each request, in the order of the schedule.
fn connections(connections: Connections) -> Vec<usize> {
    let mock = Mock::always([vec![Step::PauseMs(40)], good(4)].concat());
    let limits = Limits {
        connections,
        open_before: 2,
        ..Limits::default()
    };
    let mut asks = two_users();
    for (number, ask) in (1..).zip(&mut asks) {
        ask.output_tokens = number;
    }
    let seen = run_all(&mock.target(), &asks, &limits);
    let fresh = connections == Connections::Fresh;
    for one in &seen.requests {
        assert_eq!(one.conn_start_s.is_some(), fresh, "{one:?}");
    }
    let mut received = mock.received();
    received.sort_by_key(|one| one.body["max_tokens"].as_u64());
    received.iter().map(|one| one.connection).collect()
}

#[test]
fn fresh_connection_carries_one_request() {
    let mut used = connections(Connections::Fresh);
    used.sort_unstable();
    assert_eq!(used, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn sticky_connection_carries_its_session_alone() {
    assert_eq!(connections(Connections::StickySession), [1, 0, 1, 0, 1, 0]);
}

#[test]
fn connections_in_use_again_are_no_more_than_requests_in_flight() {
    let used = connections(Connections::Reuse);
    assert!(used.iter().all(|connection| *connection < 2), "{used:?}");
}

#[test]
fn sticky_connection_that_the_server_closes_is_made_anew() {
    let mock = Mock::always([good(4), vec![Step::Close]].concat());
    let limits = Limits {
        connections: Connections::StickySession,
        ..Limits::default()
    };
    let follower = Ask {
        after: Some(0),
        start_s: 0.1,
        ..ask(0.0)
    };
    let seen = run_all(&mock.target(), &[ask(0.0), follower], &limits);
    assert_eq!(seen.requests[1].status, sbt_schemas::RequestStatus::Ok);
    assert_eq!(seen.requests[1].conn_reused, Some(false));
}
