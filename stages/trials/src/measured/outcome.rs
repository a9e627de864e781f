//! What voids a measured trial although its server lived.

use sbt_client::Lag;
use sbt_schemas::{Outcome, Phase, RequestRow, RequestStatus};

use crate::metrics::Metrics;
use crate::steady::overload;
use crate::{Protocol, Slo};

/// Share of one core from which a thread of the client may have been the bottleneck. Chosen.
const MOST_CLIENT_CPU: f64 = 0.7;
/// A send later than this distorts whatever is measured. Chosen.
const MOST_LAG_S: f64 = 0.25;
/// Lag that no one can see in a latency. Chosen.
const LEAST_LAG_S: f64 = 2e-3;
/// Share of the time to first token by which a late send may distort it. Chosen.
const LAG_SHARE: f64 = 0.05;

/// How the client itself did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ClientState {
    pub(crate) lag: Lag,
    /// Share of one core that its busiest thread used.
    pub(crate) busiest_cpu: f64,
}

/// How a trial ended whose server was alive at its end, and why.
pub(crate) fn outcome(
    requests: &[RequestRow],
    metrics: &Metrics,
    protocol: &Protocol,
    client: &ClientState,
    last_arrival_s: f64,
) -> (Outcome, Option<String>) {
    let measured: Vec<&RequestRow> = requests
        .iter()
        .filter(|r| r.phase == Phase::Measure)
        .collect();
    let checks = [
        (
            Outcome::ClientLimited,
            client_limit(client, metrics, &protocol.slo),
        ),
        (Outcome::Unstable, overload(&measured, last_arrival_s)),
        (
            Outcome::TooManyErrors,
            too_many_errors(&measured, protocol.max_error_rate),
        ),
    ];
    for (outcome, reason) in checks {
        if reason.is_some() {
            return (outcome, reason);
        }
    }
    (Outcome::Ok, None)
}

fn client_limit(client: &ClientState, metrics: &Metrics, slo: &Slo) -> Option<String> {
    let seen = metrics.ok.ttft.p50.value.into_iter().chain(slo.ttft_p95_s);
    let limit = LAG_SHARE * seen.fold(0.0, f64::max);
    let limit = limit.max(LEAST_LAG_S);
    let Lag { p99_s, max_s, .. } = client.lag;
    let late = if p99_s > limit {
        format!(
            "1 % of the sends were {:.1} ms late or more, and {:.1} ms may be",
            p99_s * 1e3,
            limit * 1e3
        )
    } else if max_s > MOST_LAG_S {
        format!(
            "a send was {:.0} ms late, and {:.0} ms may be",
            max_s * 1e3,
            MOST_LAG_S * 1e3
        )
    } else if client.busiest_cpu > MOST_CLIENT_CPU {
        format!(
            "its busiest thread used {:.0} % of a core",
            client.busiest_cpu * 100.0
        )
    } else {
        return None;
    };
    Some(format!(
        "the load generator was the bottleneck: {late}; free a core for it, or lower the load"
    ))
}

/// More failures than a trial may have, with the first one as an example.
fn too_many_errors(measured: &[&RequestRow], most: f64) -> Option<String> {
    let failed: Vec<&&RequestRow> = measured
        .iter()
        .filter(|r| !r.status.is_complete())
        .collect();
    let share = failed.len() as f64 / measured.len() as f64;
    if measured.is_empty() || share <= most {
        return None;
    }
    let example = failed.first().map(|request| evidence(request));
    Some(format!(
        "{} of {} requests ({:.1} %) failed, and {:.1} % may; the first: {}",
        failed.len(),
        measured.len(),
        100.0 * share,
        100.0 * most,
        example.unwrap_or_default(),
    ))
}

/// How one request ended, with what the server said.
pub(crate) fn evidence(request: &RequestRow) -> String {
    let status = request.status;
    match (&request.error, request.http_status) {
        (Some(error), _) => format!("{status} ({error})"),
        (None, Some(http)) if status != RequestStatus::Ok => format!("{status} (HTTP {http})"),
        (None, _) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::request;

    fn steady(n: u64) -> Vec<RequestRow> {
        (0..n)
            .map(|i| request(i, i as f64 * 0.5, 0.2, 1.0, 11))
            .collect()
    }

    fn of(requests: &[RequestRow], client: ClientState) -> (Outcome, Option<String>) {
        let protocol = Protocol::default();
        let metrics = Metrics::of(requests, &protocol.slo, 50.0, false);
        outcome(requests, &metrics, &protocol, &client, 50.0)
    }

    #[test]
    fn quiet_client_and_steady_server_are_ok() {
        let lag = Lag {
            p50_s: 5e-5,
            p99_s: 9e-3,
            max_s: 0.02,
        };
        let client = ClientState {
            lag,
            busiest_cpu: 0.2,
        };
        assert_eq!(of(&steady(100), client), (Outcome::Ok, None));
    }

    #[test]
    fn late_sends_void_the_trial() {
        let lag = |p99_s, max_s| Lag {
            p50_s: 0.0,
            p99_s,
            max_s,
        };
        for (client, words) in [
            (
                ClientState {
                    lag: lag(0.011, 0.02),
                    busiest_cpu: 0.1,
                },
                "11.0 ms late",
            ),
            (
                ClientState {
                    lag: lag(0.001, 0.3),
                    busiest_cpu: 0.1,
                },
                "300 ms late",
            ),
            (
                ClientState {
                    lag: lag(0.0, 0.0),
                    busiest_cpu: 0.8,
                },
                "80 % of a core",
            ),
        ] {
            let (outcome, reason) = of(&steady(100), client);
            assert_eq!(outcome, Outcome::ClientLimited);
            assert!(reason.unwrap().contains(words));
        }
    }

    #[test]
    fn failures_beyond_the_bound_void_the_trial_with_an_example() {
        let mut rows = steady(100);
        for row in &mut rows[40..45] {
            row.status = RequestStatus::StreamCut;
            row.error = Some("unexpected end of file".to_owned());
        }
        assert_eq!(of(&rows, ClientState::default()).0, Outcome::Ok);
        rows[50].status = RequestStatus::SseGarbage;
        let (outcome, reason) = of(&rows, ClientState::default());
        assert_eq!(outcome, Outcome::TooManyErrors);
        let reason = reason.unwrap();
        assert!(reason.contains("6 of 100 requests (6.0 %)"), "{reason}");
        assert!(
            reason.ends_with("stream_cut (unexpected end of file)"),
            "{reason}"
        );
    }

    #[test]
    fn short_answers_are_no_failures() {
        let mut rows = steady(100);
        for row in &mut rows {
            row.status = RequestStatus::OkShort;
        }
        assert_eq!(of(&rows, ClientState::default()).0, Outcome::Ok);
    }
}
