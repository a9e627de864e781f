use sbt_schemas::{Provenance, Verdict, VerdictRow};

use crate::figures::Figures;
use crate::limits::Limits;

/// A value with its interval, and the limit that it must keep.
struct Bound {
    what: &'static str,
    value: f64,
    lo: Option<f64>,
    hi: Option<f64>,
    limit: f64,
    /// Whether the value must stay below the limit, or above it.
    below: bool,
    relative: bool,
}

/// Verdicts on one metric: one per limit. `reference` is what the relative ones are against.
pub(crate) fn check(
    metric: &str,
    limits: &Limits,
    subject: &str,
    reference: &str,
    figures: Option<&Figures>,
) -> Vec<VerdictRow> {
    let wanted = [
        ("max_increase", limits.max_increase),
        ("max_decrease", limits.max_decrease),
        ("min_ratio", limits.min_ratio),
        ("max", limits.max),
        ("min", limits.min),
    ];
    let set = wanted
        .into_iter()
        .filter_map(|(what, limit)| Some((what, limit?)));
    set.map(|(what, limit)| {
        match figures.and_then(|figures| Some((bound(what, limit, figures)?, figures))) {
            Some((bound, figures)) => verdict(metric, subject, reference, &bound, figures),
            None => missing(metric, what, limit, subject, reference, figures),
        }
    })
    .collect()
}

fn bound(what: &'static str, limit: f64, row: &Figures) -> Option<Bound> {
    let relative = |limit: f64, below| {
        Some(Bound {
            what,
            value: row.delta?,
            lo: row.delta_lo,
            hi: row.delta_hi,
            limit,
            below,
            relative: true,
        })
    };
    let absolute = |below| {
        Some(Bound {
            what,
            value: row.value,
            lo: row.lo,
            hi: row.hi,
            limit,
            below,
            relative: false,
        })
    };
    match what {
        "max_increase" => relative(limit, true),
        "max_decrease" => relative(-limit, false),
        "min_ratio" => relative(limit - 1.0, false),
        "max" => absolute(true),
        _ => absolute(false),
    }
}

impl Bound {
    /// Pass when the whole interval keeps the limit, fail when all of it breaks it. Without an
    /// interval, as for inferred values, the value decides.
    fn verdict(&self) -> Verdict {
        let (lo, hi) = (self.lo.unwrap_or(self.value), self.hi.unwrap_or(self.value));
        let (worst, best) = if self.below { (hi, lo) } else { (lo, hi) };
        let keeps = |v: f64| {
            if self.below {
                v <= self.limit
            } else {
                v >= self.limit
            }
        };
        match (keeps(worst), keeps(best)) {
            (true, _) => Verdict::Pass,
            (false, true) => Verdict::Inconclusive,
            (false, false) => Verdict::Fail,
        }
    }

    fn figure(&self, value: f64) -> String {
        if self.relative {
            format!("{:+.1} %", value * 100.0)
        } else {
            format!("{value:.4}")
        }
    }
}

fn verdict(
    metric: &str,
    subject: &str,
    reference: &str,
    bound: &Bound,
    figures: &Figures,
) -> VerdictRow {
    let interval = match (bound.lo, bound.hi) {
        (Some(lo), Some(hi)) => format!(" [{}, {}]", bound.figure(lo), bound.figure(hi)),
        _ => String::new(),
    };
    let basis = match bound.relative {
        true => format!(" against {reference}{}", figures.delta_basis),
        false => figures.value_basis.clone(),
    };
    VerdictRow {
        check: format!("{metric} {}", bound.what),
        subject: subject.to_owned(),
        verdict: bound.verdict(),
        value: Some(bound.value),
        limit: Some(bound.limit),
        evidence: format!(
            "{}{interval}{basis}; limit {}",
            bound.figure(bound.value),
            bound.figure(bound.limit)
        ),
        provenance: figures.provenance,
    }
}

/// There is nothing to compare with, as for the baseline itself; or the metric has no value.
fn missing(
    metric: &str,
    what: &str,
    limit: f64,
    subject: &str,
    reference: &str,
    figures: Option<&Figures>,
) -> VerdictRow {
    VerdictRow {
        check: format!("{metric} {what}"),
        subject: subject.to_owned(),
        verdict: Verdict::Inconclusive,
        value: None,
        limit: Some(limit),
        evidence: if figures.is_some() {
            format!("no difference to {reference} is known")
        } else {
            format!("`{metric}` has no value")
        },
        provenance: figures.map_or(Provenance::Inferred, |figures| figures.provenance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(delta: f64, lo: f64, hi: f64) -> Figures {
        Figures {
            value: 2.0,
            lo: Some(1.9),
            hi: Some(2.1),
            delta: Some(delta),
            delta_lo: Some(lo),
            delta_hi: Some(hi),
            value_basis: " over 5 fresh seeds".to_owned(),
            delta_basis: " over 5 fresh seeds".to_owned(),
            provenance: Provenance::Simulated,
        }
    }

    fn judged(limits: Limits, row: &Figures) -> Verdict {
        check("e2e_p95_s", &limits, "x", "the baseline", Some(row))[0].verdict
    }

    #[test]
    fn interval_decides_and_straddling_is_inconclusive() {
        let limits = || Limits {
            max_increase: Some(0.10),
            ..Limits::default()
        };
        assert_eq!(judged(limits(), &row(0.04, 0.01, 0.08)), Verdict::Pass);
        assert_eq!(
            judged(limits(), &row(0.09, 0.05, 0.14)),
            Verdict::Inconclusive
        );
        assert_eq!(judged(limits(), &row(0.20, 0.15, 0.25)), Verdict::Fail);
    }

    #[test]
    fn ratio_and_absolute_limits_look_the_right_way() {
        let ratio = || Limits {
            min_ratio: Some(0.98),
            ..Limits::default()
        };
        assert_eq!(judged(ratio(), &row(-0.01, -0.015, -0.005)), Verdict::Pass);
        assert_eq!(judged(ratio(), &row(-0.05, -0.06, -0.04)), Verdict::Fail);
        let max = Limits {
            max: Some(1.0),
            ..Limits::default()
        };
        assert_eq!(judged(max, &row(0.0, 0.0, 0.0)), Verdict::Fail);
    }

    #[test]
    fn value_that_is_missing_is_inconclusive_and_never_a_number() {
        let limits = Limits {
            max: Some(1.0),
            ..Limits::default()
        };
        let found = check("vram_peak_mb", &limits, "x", "the baseline", None);
        assert_eq!(
            (found[0].verdict, found[0].value),
            (Verdict::Inconclusive, None)
        );
    }
}
