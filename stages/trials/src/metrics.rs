//! Every metric of a trial, each computed here and nowhere else.

use sbt_schemas::{Phase, RequestRow, RequestStatus};

use crate::Slo;
use crate::percentile::{Bounds, Distribution};

/// What a trial showed of its requests. Nothing is known of one that served none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) n: u64,
    pub(crate) n_ok: u64,
    pub(crate) n_short: u64,
    pub(crate) statuses: Option<String>,
    pub(crate) ttft: Distribution,
    pub(crate) tpot: Distribution,
    pub(crate) itl: Distribution,
    pub(crate) e2e: Distribution,
    pub(crate) throughput: Option<Throughput>,
    pub(crate) slo_share: Option<f64>,
    pub(crate) timeout_rate: Option<f64>,
    pub(crate) error_rate: Option<f64>,
    pub(crate) retry_rate: Option<f64>,
    pub(crate) prefix_hit_rate: Option<f64>,
    pub(crate) tokens_per_event: Option<f64>,
    /// Over finished requests only, as if nothing had failed.
    pub(crate) ok: OfFinished,
}

/// Latencies of finished requests only.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct OfFinished {
    pub(crate) ttft: Distribution,
    pub(crate) tpot: Distribution,
    pub(crate) e2e: Distribution,
    pub(crate) ttft_from_sent: Distribution,
}

/// What the server put out per second of the measured span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Throughput {
    /// Output tokens per second.
    pub(crate) tok_s: f64,
    /// Finished requests per second.
    pub(crate) rps: f64,
    /// Finished requests per second that met every objective.
    pub(crate) goodput_rps: f64,
    /// Output tokens per second of requests that met every objective.
    pub(crate) good_tok_s: f64,
}

impl Metrics {
    /// From all requests of a trial, in order of the intended send. Latencies and rates leave the
    /// warm-up out; failed requests stand above every latency. `last_arrival_s` is when the
    /// schedule ends. Without `bounded`, no estimate has an interval.
    pub(crate) fn of(
        requests: &[RequestRow],
        slo: &Slo,
        last_arrival_s: f64,
        bounded: bool,
    ) -> Self {
        let measured: Vec<&RequestRow> = requests
            .iter()
            .filter(|r| r.phase == Phase::Measure)
            .collect();
        if measured.is_empty() {
            return Self::default();
        }
        let n = measured.len();
        let ok: Vec<&RequestRow> = measured.iter().copied().filter(|r| is_ok(r)).collect();
        let short = measured
            .iter()
            .filter(|r| r.status == RequestStatus::OkShort);
        let short = short.count();
        let failed = n - ok.len() - short;
        let with_failures = |value: fn(&RequestRow) -> Option<f64>, failed, bounds| {
            let values: Vec<[f64; 1]> = ok.iter().filter_map(|r| Some([value(r)?])).collect();
            Distribution::of(&values, failed, bounds)
        };
        let finished = |value, with: Distribution| {
            if failed == 0 {
                with
            } else {
                with_failures(value, 0, Bounds::Skipped)
            }
        };
        let limits = if bounded {
            Limits::BOUNDED
        } else {
            Limits::SKIPPED
        };
        let (ttft, tpot, e2e) = (
            with_failures(|r| r.ttft_s, failed, limits.ttft),
            with_failures(|r| r.tpot_s, failed, limits.tpot),
            with_failures(|r| r.e2e_s, failed, limits.e2e),
        );
        let gaps: Vec<&[f64]> = ok.iter().map(|r| r.itl_s.as_slice()).collect();
        let gaps_of_failed = gaps.iter().map(|g| g.len()).sum::<usize>() * failed / ok.len().max(1);
        let share = |count: usize| Some(count as f64 / n as f64);
        let timeouts = measured.iter().filter(|r| r.status.is_timeout()).count();
        let retries = measured
            .iter()
            .map(|r| r.attempts.saturating_sub(1))
            .sum::<u64>();
        Self {
            n: n as u64,
            n_ok: ok.len() as u64,
            n_short: short as u64,
            statuses: Some(statuses(&measured)),
            ttft,
            tpot,
            itl: Distribution::of(&gaps, gaps_of_failed, limits.tpot),
            e2e,
            throughput: Throughput::of(requests, slo, last_arrival_s),
            slo_share: share(ok.iter().filter(|r| meets(slo, r)).count()),
            timeout_rate: share(timeouts),
            error_rate: share(failed),
            retry_rate: share(retries as usize),
            prefix_hit_rate: hit_rate(&ok),
            tokens_per_event: tokens_per_event(&ok),
            ok: OfFinished {
                ttft: finished(|r| r.ttft_s, ttft),
                tpot: finished(|r| r.tpot_s, tpot),
                e2e: finished(|r| r.e2e_s, e2e),
                ttft_from_sent: with_failures(|r| r.ttft_from_sent_s, 0, Bounds::Skipped),
            },
        }
    }

    /// p99 / p50 of E2E.
    pub(crate) fn tail_amp(&self) -> Option<f64> {
        let p50 = self.e2e.p50.value.filter(|p50| *p50 > 0.0)?;
        Some(self.e2e.p99.value? / p50)
    }
}

/// What limits the bounds of each latency.
struct Limits {
    ttft: Bounds,
    tpot: Bounds,
    e2e: Bounds,
}

impl Limits {
    /// TPOT is the load that a request meets, and so is the tail of TTFT, which is the wait in the
    /// longest queues. E2E is mostly the length of the answer, and TTFT mostly that of the prompt,
    /// which neighbours do not share.
    const BOUNDED: Self = Self {
        ttft: Bounds::ByLoad { above: 0.5 },
        tpot: Bounds::ByLoad { above: 0.0 },
        e2e: Bounds::Own,
    };
    const SKIPPED: Self = Self {
        ttft: Bounds::Skipped,
        tpot: Bounds::Skipped,
        e2e: Bounds::Skipped,
    };
}

fn is_ok(request: &RequestRow) -> bool {
    request.status == RequestStatus::Ok
}

/// Whether a request finished within every limit that is set.
pub(crate) fn meets(slo: &Slo, request: &RequestRow) -> bool {
    let within = |limit: Option<f64>, value: Option<f64>| match (limit, value) {
        (Some(limit), Some(value)) => value <= limit,
        (Some(_) | None, None) | (None, Some(_)) => true,
    };
    is_ok(request)
        && within(slo.ttft_p95_s, request.ttft_s)
        && within(slo.tpot_p95_s, request.tpot_s)
        && within(slo.e2e_p95_s, request.e2e_s)
}

fn hit_rate(ok: &[&RequestRow]) -> Option<f64> {
    let known = ok
        .iter()
        .filter_map(|r| Some((r.cached_tokens?, r.prompt_tokens)));
    let (cached, prompt) = known.fold((0, 0), |(cached, prompt), (c, p)| (cached + c, prompt + p));
    (prompt > 0).then(|| cached as f64 / prompt as f64)
}

fn tokens_per_event(ok: &[&RequestRow]) -> Option<f64> {
    let known = ok.iter().filter_map(|r| Some((r.output_tokens, r.events?)));
    let (tokens, events) = known.fold((0, 0), |(t, e), (tokens, events)| (t + tokens, e + events));
    (events > 0).then(|| tokens as f64 / events as f64)
}

/// Requests by how they ended, as `ok 190, stream_cut 10`.
fn statuses(measured: &[&RequestRow]) -> String {
    let counts = RequestStatus::ALL.iter().filter_map(|status| {
        let count = measured.iter().filter(|r| r.status == *status).count();
        (count > 0).then(|| format!("{status} {count}"))
    });
    counts.collect::<Vec<String>>().join(", ")
}

impl Throughput {
    /// What left the server between the first measured request and the end of the span, whoever
    /// asked for it: the warm-up's last tokens are load like any other.
    fn of(requests: &[RequestRow], slo: &Slo, last_arrival_s: f64) -> Option<Self> {
        let measured = requests.iter().filter(|r| r.phase == Phase::Measure);
        let start = measured.map(|r| r.intended_s).reduce(f64::min)?;
        Some(Self::within(
            requests,
            slo,
            (start, span_end(requests, start, last_arrival_s)?),
        ))
    }

    /// What left the server between two times, s.
    pub(crate) fn within(requests: &[RequestRow], slo: &Slo, (start, end): (f64, f64)) -> Self {
        let mut sum = Self {
            tok_s: 0.0,
            rps: 0.0,
            goodput_rps: 0.0,
            good_tok_s: 0.0,
        };
        for request in requests.iter().filter(|r| is_ok(r)) {
            let tokens = tokens_within(request, start, end);
            let finished = request.end_s.is_some_and(|e| (start..=end).contains(&e));
            let finished = f64::from(u8::from(finished));
            sum.tok_s += tokens;
            sum.rps += finished;
            if meets(slo, request) {
                sum.good_tok_s += tokens;
                sum.goodput_rps += finished;
            }
        }
        let span_s = end - start;
        Self {
            tok_s: sum.tok_s / span_s,
            rps: sum.rps / span_s,
            goodput_rps: sum.goodput_rps / span_s,
            good_tok_s: sum.good_tok_s / span_s,
        }
    }
}

/// End of the measured span. The drain after the last arrival runs ever emptier and is left out;
/// where arrivals fill less than half of the run (a burst, a closed loop, an overload), the span
/// goes on to the last send, else to the last end.
fn span_end(requests: &[RequestRow], start: f64, last_arrival_s: f64) -> Option<f64> {
    const LEAST_SHARE: f64 = 0.5;
    let last = |time: fn(&RequestRow) -> Option<f64>| {
        requests
            .iter()
            .filter(|r| is_ok(r))
            .filter_map(time)
            .reduce(f64::max)
    };
    let last_end = last(|r| r.end_s)?;
    let ends = [Some(last_arrival_s), last(|r| Some(r.intended_s))];
    let long_enough = |end: &f64| end - start >= LEAST_SHARE * (last_end - start);
    let end = ends
        .into_iter()
        .flatten()
        .find(long_enough)
        .unwrap_or(last_end);
    (end > start).then_some(end)
}

/// Tokens of a request that arrived within a span; those after the first are spread evenly up to
/// its end.
fn tokens_within(request: &RequestRow, start: f64, end: f64) -> f64 {
    let (Some(first), Some(last)) = (request.first_token_s, request.end_s) else {
        return 0.0;
    };
    let overlap = last.min(end) - first.max(start);
    if overlap < 0.0 {
        return 0.0;
    }
    let all = request.output_tokens as f64;
    if last > first {
        all * overlap / (last - first)
    } else {
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sbt_schemas::{Phase, RequestRow, RequestStatus};

    use super::Metrics;
    use crate::Slo;
    use crate::samples::request;

    fn steady(n: u64) -> Vec<RequestRow> {
        (0..n).map(|i| request(i, i as f64, 0.5, 4.0, 41)).collect()
    }

    fn close(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    }

    #[test]
    fn steady_requests_give_their_own_numbers() {
        let metrics = Metrics::of(&steady(400), &Slo::default(), 399.0, true);
        assert_eq!((metrics.n, metrics.n_ok), (400, 400));
        close(metrics.ttft.p95.value, 0.5);
        close(metrics.e2e.p95.high, 4.5);
        close(metrics.e2e.p99.high, 4.5);
        close(metrics.itl.p50.value, 0.1);
        close(metrics.tail_amp(), 1.0);
        assert_eq!(metrics.error_rate, Some(0.0));
        let throughput = metrics.throughput.unwrap();
        assert!(
            (throughput.rps - 395.0 / 399.0).abs() < 1e-9,
            "{throughput:?}"
        );
        assert!((throughput.tok_s - 41.0).abs() < 0.6, "{throughput:?}");
    }

    #[test]
    fn warm_up_is_left_out_of_latencies_but_its_load_counts() {
        let mut rows = steady(200);
        for row in &mut rows[..20] {
            row.phase = Phase::Warmup;
            row.ttft_s = Some(9.0);
        }
        let metrics = Metrics::of(&rows, &Slo::default(), 199.0, true);
        assert_eq!(metrics.n, 180);
        close(metrics.ttft.mean.value, 0.5);
        let throughput = metrics.throughput.unwrap();
        assert!((throughput.tok_s - 41.0).abs() < 0.3, "{throughput:?}");
    }

    #[test]
    fn failures_make_high_percentiles_null_and_miss_the_objectives() {
        let mut rows = steady(100);
        for (row, status) in rows.iter_mut().zip([
            RequestStatus::TimeoutTotal,
            RequestStatus::TimeoutIdle,
            RequestStatus::Http5xx,
        ]) {
            row.status = status;
            row.attempts = 3;
            row.ttft_s = None;
        }
        let slo = Slo {
            ttft_p95_s: Some(0.5),
            ..Slo::default()
        };
        let metrics = Metrics::of(&rows, &slo, 99.0, true);
        assert_eq!((metrics.n, metrics.n_ok), (100, 97));
        close(metrics.ttft.p95.value, 0.5);
        assert_eq!(metrics.ttft.p99.value, None);
        assert_eq!(metrics.itl.p99.value, None);
        assert_eq!(metrics.tail_amp(), None);
        close(metrics.timeout_rate, 0.02);
        close(metrics.error_rate, 0.03);
        close(metrics.retry_rate, 0.06);
        close(metrics.slo_share, 0.97);
    }

    #[test]
    fn requests_beyond_a_limit_are_no_goodput() {
        let mut rows = steady(100);
        rows[50].ttft_s = Some(2.0);
        let slo = Slo {
            ttft_p95_s: Some(1.0),
            ..Slo::default()
        };
        let metrics = Metrics::of(&rows, &slo, 99.0, true);
        close(metrics.slo_share, 0.99);
        let throughput = metrics.throughput.unwrap();
        assert!(throughput.goodput_rps < throughput.rps);
        assert!(throughput.good_tok_s < throughput.tok_s);
    }

    #[test]
    fn burst_is_measured_to_its_end() {
        let rows: Vec<RequestRow> = (0..10).map(|i| request(i, 0.0, 1.0, 9.0, 91)).collect();
        let throughput = Metrics::of(&rows, &Slo::default(), 0.0, true)
            .throughput
            .unwrap();
        assert!((throughput.rps - 1.0).abs() < 1e-9);
        assert!((throughput.tok_s - 91.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_served_gives_nothing() {
        assert_eq!(
            Metrics::of(&[], &Slo::default(), 0.0, true),
            Metrics::default()
        );
        let mut rows = steady(30);
        for row in &mut rows {
            row.status = RequestStatus::TimeoutTtft;
        }
        let metrics = Metrics::of(&rows, &Slo::default(), 29.0, true);
        assert_eq!((metrics.n, metrics.n_ok), (30, 0));
        assert_eq!(metrics.ttft.p50.value, None);
        assert_eq!((metrics.throughput, metrics.slo_share), (None, Some(0.0)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn goodput_never_exceeds_throughput(
            parts in prop::collection::vec((0.0..3.0_f64, 0.1..9.0_f64, any::<bool>()), 1..60),
            limit in 0.1..3.0_f64,
        ) {
            let rows = parts.iter().enumerate().map(|(i, &(ttft, decode, ok))| {
                let mut row = request(i as u64, i as f64 / 4.0, ttft, decode, 20);
                row.status = if ok { RequestStatus::Ok } else { RequestStatus::StreamCut };
                row
            });
            let rows: Vec<RequestRow> = rows.collect();
            let slo = Slo { ttft_p95_s: Some(limit), ..Slo::default() };
            let metrics = Metrics::of(&rows, &slo, rows.len() as f64 / 4.0, true);
            prop_assert!(metrics.slo_share <= Some(metrics.n_ok as f64 / metrics.n as f64));
            if let Some(t) = metrics.throughput {
                prop_assert!(t.goodput_rps <= t.rps && t.good_tok_s <= t.tok_s);
                prop_assert!(t.tok_s >= 0.0);
            }
        }
    }
}
