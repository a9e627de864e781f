//! Whether the simulator puts configurations in the order that a real server does.

use sbt_schemas::{Cell, Outcome, Provenance, Row as _, TrialRow, Verdict, VerdictRow};

use super::compare::{Pair, mean};

/// Name of the check.
const CHECK: &str = "ranking";

/// Compares every two configurations: the real server decides about those whose intervals do not
/// overlap, and the simulator must agree with each of these. Nothing decided is no pass.
pub(crate) fn verdict(pairs: &[Pair], column: &str) -> VerdictRow {
    let mut decided = 0_u64;
    let mut wrong = Vec::new();
    for (i, a) in pairs.iter().enumerate() {
        for b in &pairs[i + 1..] {
            let (better, worse) = match decide(&a.measured, &b.measured, column) {
                None => continue,
                Some(true) => (a, b),
                Some(false) => (b, a),
            };
            decided += 1;
            let says = mean(&better.simulated, column).zip(mean(&worse.simulated, column));
            if !says.is_some_and(|(better, worse)| better < worse) {
                let name = |pair: &Pair| pair.measured[0].config_name.clone();
                wrong.push(format!("`{}` before `{}`", name(better), name(worse)));
            }
        }
    }
    let right = decided - wrong.len() as u64;
    let verdict = match (decided, wrong.is_empty()) {
        (0, _) => Verdict::Inconclusive,
        (_, true) => Verdict::Pass,
        (_, false) => Verdict::Fail,
    };
    let void: Vec<String> = pairs
        .iter()
        .filter_map(|pair| without_value(pair, column))
        .collect();
    let evidence = match verdict {
        Verdict::Inconclusive if !void.is_empty() => format!(
            "without a valid measurement of {column}: {}",
            void.join("; ")
        ),
        Verdict::Inconclusive => format!(
            "no two of {} configurations differ in {column} by more than their 95 % intervals",
            pairs.len()
        ),
        Verdict::Pass => {
            format!("the simulator orders all {decided} pairs that the server decides as it does")
        }
        Verdict::Fail => format!(
            "the simulator orders {right} of {decided} decided pairs by {column} as the server does; \
             the server puts {}",
            wrong.join(", ")
        ),
    };
    VerdictRow {
        check: CHECK.to_owned(),
        subject: column.to_owned(),
        verdict,
        value: (decided > 0).then(|| right as f64 / decided as f64),
        limit: Some(1.0),
        evidence,
        provenance: Provenance::Measured,
    }
}

/// The configuration and why, when the real server has no value of it.
fn without_value(pair: &Pair, column: &str) -> Option<String> {
    if mean(&pair.measured, column).is_some() {
        return None;
    }
    let voided = pair
        .measured
        .iter()
        .find(|trial| trial.outcome != Outcome::Ok);
    let trial = voided.unwrap_or(&pair.measured[0]);
    let reason = trial.reason.as_deref().unwrap_or("no value");
    Some(format!(
        "`{}` {} ({reason})",
        trial.config_name, trial.outcome
    ))
}

/// Whether the first is measured better than the second; none when the intervals overlap.
fn decide(a: &[TrialRow], b: &[TrialRow], column: &str) -> Option<bool> {
    let (a, b) = (bounds(a, column)?, bounds(b, column)?);
    if a.1 < b.0 {
        Some(true)
    } else if b.1 < a.0 {
        Some(false)
    } else {
        None
    }
}

/// The span of the values over the draws, each with its own interval where it has one.
fn bounds(trials: &[TrialRow], column: &str) -> Option<(f64, f64)> {
    mean(trials, column)?;
    let number = |trial: &TrialRow, column: &str| match trial.cell(column) {
        Some(Cell::Number(value)) => Some(value),
        _ => None,
    };
    let stem = column.strip_suffix("_s").unwrap_or(column);
    let mut span: Option<(f64, f64)> = None;
    for trial in trials {
        let value = number(trial, column)?;
        let low = number(trial, &format!("{stem}_lo_s")).unwrap_or(value);
        let high = number(trial, &format!("{stem}_hi_s")).unwrap_or(value);
        let (so_far_low, so_far_high) = span.unwrap_or((low, high));
        span = Some((so_far_low.min(low), so_far_high.max(high)));
    }
    span
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trial(name: &str, value: f64, half: f64) -> TrialRow {
        serde_json::from_value(json!({
            "trial_key": "k", "config_id": name, "config_name": name, "config": "{}",
            "backend": "b", "draw": 0, "rate_scale": 1.0, "outcome": "ok",
            "provenance": "measured", "n": 10, "n_ok": 10, "n_short": 0, "gpus": 1,
            "e2e_p50_s": value, "e2e_p50_lo_s": value - half, "e2e_p50_hi_s": value + half,
        }))
        .unwrap()
    }

    fn pair(name: &str, simulated: f64, measured: f64, half: f64) -> Pair {
        Pair {
            simulated: vec![trial(name, simulated, 0.0)],
            measured: vec![trial(name, measured, half)],
        }
    }

    #[test]
    fn same_order_passes_although_the_values_differ() {
        let pairs = [pair("a", 0.1, 1.0, 0.1), pair("b", 0.2, 2.0, 0.1)];
        let verdict = verdict(&pairs, "e2e_p50_s");
        assert_eq!((verdict.verdict, verdict.value), (Verdict::Pass, Some(1.0)));
    }

    #[test]
    fn wrong_order_fails_and_is_named() {
        let pairs = [
            pair("a", 0.3, 1.0, 0.1),
            pair("b", 0.2, 2.0, 0.1),
            pair("c", 0.4, 3.0, 0.1),
        ];
        let verdict = verdict(&pairs, "e2e_p50_s");
        assert_eq!(verdict.verdict, Verdict::Fail);
        assert!(verdict.evidence.contains("2 of 3"), "{}", verdict.evidence);
        assert!(verdict.evidence.contains("`a` before `b`"));
    }

    #[test]
    fn overlapping_intervals_decide_nothing() {
        let pairs = [pair("a", 0.3, 1.0, 0.8), pair("b", 0.2, 2.0, 0.8)];
        assert_eq!(verdict(&pairs, "e2e_p50_s").verdict, Verdict::Inconclusive);
    }

    #[test]
    fn void_trials_take_no_part() {
        let mut void = pair("a", 0.1, 1.0, 0.1);
        void.measured[0].outcome = Outcome::Unstable;
        let pairs = [void, pair("b", 0.2, 2.0, 0.1)];
        let verdict = verdict(&pairs, "e2e_p50_s");
        assert_eq!(verdict.verdict, Verdict::Inconclusive);
        assert!(
            verdict.evidence.contains("`a` unstable"),
            "{}",
            verdict.evidence
        );
    }

    #[test]
    fn decided_pair_of_which_the_simulator_knows_nothing_is_a_failure() {
        let mut unknown = pair("a", 0.1, 1.0, 0.1);
        unknown.simulated[0].outcome = Outcome::Oom;
        let pairs = [unknown, pair("b", 0.2, 2.0, 0.1)];
        assert_eq!(verdict(&pairs, "e2e_p50_s").verdict, Verdict::Fail);
    }
}
