use sbt_schemas::{Phase, RequestRow};

/// Values of one batch: single values are too noisy to compare (the 5 of MSER-5).
const BATCH: usize = 5;
/// Fewer requests show no warm-up. Chosen.
const LEAST_REQUESTS: usize = 100;
/// A truncation that lowers the statistic less is none: noise alone always finds a little. Chosen.
const LEAST_GAIN: f64 = 0.5;
/// The first truncation this near to the best one is taken: beyond it noise decides. Chosen.
const NEAR: f64 = 1.25;

/// Where a series has settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// From the start.
    AtOnce,
    /// After so many values.
    After(usize),
    /// Not within the first half: there is no steady state to measure.
    Never,
}

/// Truncation point that minimises the squared standard error of the mean of what is left, over
/// means of five (MSER-5: White 1997, "An effective truncation heuristic for bias reduction in
/// simulation output"). Refused beyond the middle, where few values decide.
pub(crate) fn settled(series: &[f64]) -> Settled {
    let batches = series.chunks_exact(BATCH);
    let means: Vec<f64> = batches
        .map(|b| b.iter().sum::<f64>() / BATCH as f64)
        .collect();
    // Sums from the end: the statistic of every truncation in one pass.
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    let mut statistics: Vec<f64> = Vec::with_capacity(means.len());
    for mean in means.iter().rev() {
        n += 1.0;
        sum += mean;
        squares += mean * mean;
        statistics.push((squares - sum * sum / n).max(0.0) / (n * n));
    }
    statistics.reverse();
    // The last five truncations leave too little for a variance.
    let judged = &statistics[..statistics.len().saturating_sub(BATCH)];
    let least = judged.iter().copied().fold(f64::INFINITY, f64::min);
    let near = |statistic: &f64| *statistic <= NEAR * least;
    match (judged.first(), judged.iter().position(near)) {
        (Some(whole), Some(cut)) if least < LEAST_GAIN * whole => {
            if cut > means.len() / 2 {
                Settled::Never
            } else {
                Settled::After(cut * BATCH)
            }
        }
        (_, _) => Settled::AtOnce,
    }
}

/// What is to be said of measured requests that a warm-up still slows, or that never settle: by
/// their TTFT, and by how many run at once. `requests` has those of the warm-up too, in the order
/// of the intended send.
pub(crate) fn warning(requests: &[RequestRow]) -> Option<String> {
    let measured: Vec<&RequestRow> = requests
        .iter()
        .filter(|request| request.phase == Phase::Measure)
        .collect();
    if measured.len() < LEAST_REQUESTS {
        return None;
    }
    let ttft: Vec<f64> = measured.iter().filter_map(|r| r.ttft_s).collect();
    let series = [
        ("TTFT", ttft),
        ("the number of running requests", running(requests)),
    ];
    series.iter().find_map(|(what, series)| match settled(series) {
        Settled::AtOnce => None,
        Settled::After(requests) => Some(format!(
            "The warm-up is too short: {what} settles after {requests} further requests (MSER-5); \
             raise protocol.warmup_requests by as many."
        )),
        Settled::Never => Some(format!(
            "No steady state was seen: {what} does not settle in the first half of {} requests \
             (MSER-5).",
            measured.len()
        )),
    })
}

/// Requests in flight at each measured send, those of the warm-up among them.
fn running(requests: &[RequestRow]) -> Vec<f64> {
    let mut ends: Vec<f64> = requests.iter().filter_map(|r| r.end_s).collect();
    ends.sort_by(f64::total_cmp);
    let sent = requests.iter().enumerate();
    let measured = sent.filter(|(_, request)| request.phase == Phase::Measure);
    let counts = measured.map(|(sent, request)| {
        let ended = ends.partition_point(|end| *end <= request.intended_s);
        sent as f64 + 1.0 - ended as f64
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use sbt_schemas::{Phase, RequestRow};

    /// Requests before the measured ones.
    const WARM_UP: usize = 10;

    use super::{Settled, settled, warning};
    use crate::samples::request;

    /// Deterministic noise in 0..1.
    fn noise(i: usize) -> f64 {
        (i as f64 * 12.989_8)
            .sin()
            .mul_add(43_758.545_3, 0.0)
            .rem_euclid(1.0)
    }

    fn said(ttft: impl Fn(usize) -> f64) -> Option<String> {
        let row = |id: u64, ttft| request(id, id as f64, ttft, 2.0, 20);
        let warm_up = (0..WARM_UP as u64).map(|id| RequestRow {
            phase: Phase::Warmup,
            ..row(id, 0.2)
        });
        let measured = (0..300).map(|i| row((WARM_UP + i) as u64, ttft(i)));
        warning(&warm_up.chain(measured).collect::<Vec<_>>())
    }

    #[test]
    fn slow_start_is_cut_where_it_ends() {
        let series: Vec<f64> = (0..400)
            .map(|i| noise(i) * 0.1 + if i < 40 { 0.7 } else { 0.2 })
            .collect();
        assert_eq!(settled(&series), Settled::After(40));
        let warned = said(|i| noise(i) * 0.1 + if i < 40 { 0.7 } else { 0.2 });
        assert!(warned.is_some_and(|text| text.contains("40 further requests")));
    }

    #[test]
    fn steady_requests_are_left_alone() {
        let series: Vec<f64> = (0..400).map(noise).collect();
        assert_eq!(settled(&series), Settled::AtOnce);
        assert_eq!(said(|i| 0.2 + noise(i) * 0.1), None);
        assert_eq!(settled(&[]), Settled::AtOnce);
    }

    #[test]
    fn cut_beyond_the_middle_is_refused() {
        let series: Vec<f64> = (0..400)
            .map(|i| noise(i) * 0.1 + if i < 300 { 0.7 } else { 0.2 })
            .collect();
        assert_eq!(settled(&series), Settled::Never);
        let warned = said(|i| noise(i) * 0.1 + if i < 220 { 0.7 } else { 0.2 });
        assert!(warned.is_some_and(|text| text.starts_with("No steady state")));
    }
}
