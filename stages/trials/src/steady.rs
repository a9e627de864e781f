use sbt_schemas::{RequestRow, RequestStatus};

/// Least share of the offered load that a stable server completes.
const LEAST_COMPLETED: f64 = 0.97;
/// Growth of the wait, in seconds per second, from which a trend matters: a server that completes
/// c of what is offered falls behind by 1/c - 1.
const RELEVANT_SLOPE: f64 = 1.0 / LEAST_COMPLETED - 1.0;
/// Points of the trend: chosen, slopes grow with their square.
const MOST_POINTS: usize = 300;
/// Fewer points show no trend. Chosen.
const LEAST_POINTS: usize = 20;
/// 97.5 % quantile of the standard normal distribution.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;
/// Arrivals within so small a share of the run are users who start together and then wait for
/// their answers: a closed loop, which cannot be offered more than it completes. Chosen.
const CLOSED_LOOP_SHARE: f64 = 0.05;

/// Why the load exceeds the capacity, in words with numbers; none when it does not, or when the
/// loop is closed. `last_arrival_s` is when the schedule ends: the last arrival that does not wait
/// for an answer.
pub(crate) fn overload(measured: &[&RequestRow], last_arrival_s: f64) -> Option<String> {
    let end = measured.iter().filter_map(|r| r.end_s).fold(0.0, f64::max);
    if last_arrival_s < CLOSED_LOOP_SHARE * end {
        return None;
    }
    lost(measured).or_else(|| backlog(measured, last_arrival_s))
}

/// Requests lost to load: refused, or waiting in vain for a first token. One whose answer began
/// and ran out of time is slow, and may be so on an idle server.
fn lost(measured: &[&RequestRow]) -> Option<String> {
    let offered = measured.iter().filter(|r| r.sent_s.is_some());
    let offered: Vec<_> = offered.filter(|r| !r.status.is_invalid()).collect();
    let in_vain = |r: &&&&RequestRow| {
        let ran_out = r.status.is_timeout() || r.status == RequestStatus::CancelledByClient;
        ran_out && r.first_token_s.is_none()
    };
    let lost = offered
        .iter()
        .filter(|r| r.status.is_refusal() || in_vain(r));
    let (offered, lost) = (offered.len(), lost.count());
    let share = lost as f64 / offered as f64;
    (offered > 0 && share > 1.0 - LEAST_COMPLETED).then(|| {
        format!(
            "the load exceeds the capacity: {lost} of {offered} requests ({:.1} %) were refused \
             or got no token in time; a stable server loses at most {:.0} %",
            100.0 * share,
            100.0 * (1.0 - LEAST_COMPLETED),
        )
    })
}

/// A wait that grows as long as requests arrive.
fn backlog(measured: &[&RequestRow], last_arrival_s: f64) -> Option<String> {
    let arrived = measured.iter().filter(|r| r.intended_s <= last_arrival_s);
    let mut points: Vec<(f64, f64)> = arrived
        .filter_map(|r| Some((r.intended_s, r.ttft_s?)))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let points = thinned(&points);
    let (slope, low) = trend(&points)?;
    (low > 0.0 && slope > RELEVANT_SLOPE).then(|| {
        let span = points[points.len() - 1].0 - points[0].0;
        format!(
            "the load exceeds the capacity: TTFT grows by {slope:.3} s per second over {span:.0} s \
             of arrivals (95 % interval from {low:.3}; {RELEVANT_SLOPE:.3} is tolerated)"
        )
    })
}

fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let n = points.len().min(MOST_POINTS);
    (0..n).map(|i| points[i * points.len() / n]).collect()
}

/// Theil–Sen slope (median of the slopes between all pairs) and the lower bound of its 95 %
/// interval (Sen 1968, from the variance of Kendall's tau).
fn trend(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    if points.len() < LEAST_POINTS {
        return None;
    }
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (i, (x, y)) in points.iter().enumerate() {
        let later = points[i + 1..].iter().filter(|(later, _)| later > x);
        slopes.extend(later.map(|(later, then)| (then - y) / (later - x)));
    }
    if slopes.is_empty() {
        return None;
    }
    let n = points.len() as f64;
    let spread = NORMAL_QUANTILE * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let low = ((slopes.len() as f64 - spread) / 2.0).max(0.0) as usize;
    // Selected, not sorted: there are as many slopes as pairs of requests.
    let middle = slopes.len() / 2;
    let (below, median, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    let median = *median;
    let low = match below.len() {
        n if low < n => *below.select_nth_unstable_by(low, f64::total_cmp).1,
        _ => median,
    };
    Some((median, low))
}

#[cfg(test)]
mod tests {
    use sbt_schemas::{RequestRow, RequestStatus};

    use super::overload;
    use crate::samples::request;

    fn with_ttft(n: u64, ttft: impl Fn(f64) -> f64) -> Vec<RequestRow> {
        let rows = (0..n).map(|i| request(i, i as f64, ttft(i as f64), 2.0, 50));
        rows.collect()
    }

    fn verdict(rows: &[RequestRow], last_arrival_s: f64) -> Option<String> {
        overload(&rows.iter().collect::<Vec<_>>(), last_arrival_s)
    }

    /// Deterministic noise in 0..1.
    fn noise(x: f64) -> f64 {
        (x * 12.989_8)
            .sin()
            .mul_add(43_758.545_3, 0.0)
            .rem_euclid(1.0)
    }

    #[test]
    fn growing_wait_is_overload_with_its_numbers() {
        let rows = with_ttft(300, |t| 0.2 + 0.1 * t + noise(t));
        let reason = verdict(&rows, 299.0).unwrap();
        assert!(reason.contains("TTFT grows by 0.10"), "{reason}");
    }

    #[test]
    fn noisy_but_level_wait_is_stable() {
        assert_eq!(
            verdict(&with_ttft(300, |t| 0.1 + 3.0 * noise(t)), 299.0),
            None
        );
    }

    #[test]
    fn significant_but_small_growth_is_stable() {
        assert_eq!(verdict(&with_ttft(300, |t| 0.1 + 0.002 * t), 299.0), None);
    }

    fn fail(rows: &mut [RequestRow], status: RequestStatus) {
        for row in rows {
            row.status = status;
            row.first_token_s = None;
        }
    }

    #[test]
    fn requests_without_a_token_are_overload_from_three_percent() {
        let mut rows = with_ttft(100, |_| 0.1);
        fail(&mut rows[10..13], RequestStatus::TimeoutTotal);
        assert_eq!(verdict(&rows, 99.0), None);
        fail(&mut rows[20..22], RequestStatus::Http5xx);
        let reason = verdict(&rows, 99.0).unwrap();
        assert!(reason.contains("5 of 100 requests (5.0 %)"), "{reason}");
    }

    #[test]
    fn slow_answers_invalid_requests_and_unsent_turns_are_no_overload() {
        let mut rows = with_ttft(100, |_| 0.1);
        fail(&mut rows[10..40], RequestStatus::ContextOverflow);
        for row in &mut rows[40..60] {
            row.status = RequestStatus::TimeoutTotal;
        }
        for row in &mut rows[60..80] {
            row.status = RequestStatus::NotSentLate;
            row.sent_s = None;
        }
        assert_eq!(verdict(&rows, 99.0), None);
    }

    #[test]
    fn closed_loop_is_never_overloaded() {
        let rows = with_ttft(300, |t| 0.2 + 0.1 * t);
        assert_eq!(verdict(&rows, 3.0), None);
    }

    #[test]
    fn few_requests_show_no_trend() {
        assert_eq!(verdict(&with_ttft(10, |t| t), 9.0), None);
    }
}
