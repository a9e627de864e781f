use std::fmt::Write;

use sbt_schemas::{Estimate, Latency, Measurement, Outcome};

use crate::terminal::number::short;
use crate::terminal::style::Paint;

/// Fewer requests than this have no 99th percentile of their own.
const P99_FROM: u64 = 100;
/// Room of one percentile with its interval.
const CELL: usize = 26;

/// The lines of one trial: label and text. `alone` when there is no other to tell it from.
pub(crate) fn lines(of: &Measurement, alone: bool, paint: Paint) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if !alone {
        let name = format!(
            "{}, draw {}, rate x {}",
            of.config_name,
            of.draw,
            short(of.rate_scale)
        );
        lines.push(("trial", paint.bold(&name)));
    }
    let by_status = of.statuses.as_ref().map(|statuses| format!(": {statuses}"));
    lines.push((
        "requests",
        format!("{}{}", of.n, by_status.unwrap_or_default()),
    ));
    lines.push(("outcome", outcome(of, paint)));
    let p99 = if of.n < P99_FROM { "p99 *" } else { "p99" };
    lines.push((
        "latency",
        row(["p50 [95 % interval]", "p95", p99].map(str::to_owned)),
    ));
    let latencies = [("TTFT", &of.ttft), ("TPOT", &of.tpot), ("E2E", &of.e2e)];
    for (label, latency) in latencies {
        lines.push((label, row(percentiles(latency))));
    }
    let beyond = latencies
        .iter()
        .any(|(_, latency)| reached_by_failures(latency));
    if beyond {
        let text = "> x: failed requests reach it; x is that of the finished ones";
        lines.push(("", text.to_owned()));
    }
    if of.n < P99_FROM {
        lines.push((
            "",
            format!("* fewer than {P99_FROM} requests: too few for a p99"),
        ));
    }
    let rates = [
        ("", of.tok_s, "tokens/s"),
        ("", of.rps, "requests/s"),
        ("goodput ", of.goodput_rps, "requests/s"),
    ];
    let rates = rates.into_iter();
    let rates =
        rates.filter_map(|(name, rate, unit)| Some(format!("{name}{} {unit}", short(rate?))));
    lines.push(("rates", rates.collect::<Vec<_>>().join(", ")));
    lines.extend(of.started_at.clone().map(|at| ("measured at", at)));
    lines.retain(|(_, text)| !text.is_empty());
    lines
}

fn outcome(of: &Measurement, paint: Paint) -> String {
    let word = of.outcome.to_string();
    match (&of.reason, of.outcome) {
        (_, Outcome::Ok) => paint.green(&word),
        (Some(reason), _) => format!("{}: {reason}", paint.red(&word)),
        (None, _) => paint.red(&word),
    }
}

fn percentiles(latency: &Latency) -> [String; 3] {
    [latency.p50, latency.p95, latency.p99].map(|estimate| percentile(&estimate))
}

fn reached_by_failures(latency: &Latency) -> bool {
    let reached = |of: Estimate| of.value_s.is_none() && of.finished_s.is_some();
    [latency.p50, latency.p95, latency.p99]
        .into_iter()
        .any(reached)
}

/// A value with its interval, in the unit that fits the value; `> x` where failed requests reach
/// it and only the finished ones have one.
fn percentile(estimate: &Estimate) -> String {
    /// Below it, seconds read better in thousandths.
    const MILLI_BELOW_S: f64 = 1.0;
    let Some(known) = estimate.value_s.or(estimate.finished_s) else {
        return "-".to_owned();
    };
    let (factor, unit) = if known < MILLI_BELOW_S {
        (1e3, "ms")
    } else {
        (1.0, "s")
    };
    let number = |seconds: f64| short(seconds * factor);
    if estimate.value_s.is_none() {
        return format!("> {} {unit}", number(known));
    }
    let mut text = format!("{} {unit}", number(known));
    if estimate.lo_s.is_some() || estimate.hi_s.is_some() {
        let bound = |bound: Option<f64>| bound.map_or("..".to_owned(), number);
        write!(
            text,
            " [{}, {}]",
            bound(estimate.lo_s),
            bound(estimate.hi_s)
        )
        .expect("writing to a string cannot fail");
    }
    text
}

fn row(cells: [String; 3]) -> String {
    let cells = cells.iter().map(|cell| format!("{cell:<CELL$}"));
    cells.collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use sbt_schemas::{Provenance, Summary};

    use super::*;
    use crate::terminal::closing::closing;

    fn estimate(value: Option<f64>, lo: Option<f64>, hi: Option<f64>, finished: f64) -> Estimate {
        Estimate {
            value_s: value,
            lo_s: lo,
            hi_s: hi,
            finished_s: Some(finished),
        }
    }

    fn measurement() -> Measurement {
        let e2e = Latency {
            p50: estimate(Some(1.25), Some(1.2), Some(1.31), 1.21),
            p95: estimate(Some(2.5), Some(2.1), None, 2.2),
            p99: estimate(None, None, None, 3.0),
        };
        let ttft = Latency {
            p50: estimate(Some(0.0123), Some(0.0119), Some(0.0128), 0.0123),
            p95: estimate(Some(0.045), Some(0.041), None, 0.045),
            p99: estimate(None, None, None, 0.21),
        };
        let nothing = Estimate::default();
        let tpot = Latency {
            p50: nothing,
            p95: nothing,
            p99: nothing,
        };
        Measurement {
            config_name: "endpoint".to_owned(),
            draw: 0,
            rate_scale: 1.0,
            provenance: Provenance::Measured,
            started_at: Some("2026-08-01T12:00:00Z".to_owned()),
            outcome: Outcome::Ok,
            reason: None,
            n: 200,
            n_ok: 190,
            statuses: Some("ok 190, stream_cut 10".to_owned()),
            ttft,
            tpot,
            e2e,
            tok_s: Some(812.3),
            rps: Some(9.81),
            goodput_rps: Some(9.1),
            slo_share: Some(0.93),
        }
    }

    fn summary(measurements: Vec<Measurement>) -> Summary {
        Summary {
            pipeline: "measure".to_owned(),
            provenance: Provenance::Measured,
            backend: "http://127.0.0.1:8000/v1".to_owned(),
            baseline: String::new(),
            recommended: None,
            effects: Vec::new(),
            verdicts: std::collections::BTreeMap::new(),
            plan: None,
            samplers: Vec::new(),
            measurements,
            fidelity: Vec::new(),
        }
    }

    #[test]
    fn measurement_ends_with_its_percentiles_and_rates() {
        insta::assert_snapshot!(closing(&summary(vec![measurement()]), Paint::new(false)));
    }

    #[test]
    fn small_and_void_measurements_say_so_by_name() {
        let void = Measurement {
            n: 40,
            n_ok: 28,
            statuses: Some("ok 28, stream_cut 12".to_owned()),
            outcome: Outcome::TooManyErrors,
            reason: Some("12 of 40 requests (30.0 %) failed, and 5.0 % may".to_owned()),
            goodput_rps: None,
            ..measurement()
        };
        let both = summary(vec![measurement(), void]);
        insta::assert_snapshot!(closing(&both, Paint::new(false)));
    }
}
