use std::collections::BTreeMap;

use sbt_statistics::{mean, paired, student_quantile};

use super::side::{Side, Value};
use crate::figures::Figures;

/// Logs of ratios, each from one draw of either side, and their 95 % interval.
type Difference = (f64, Option<(f64, f64)>);

/// One metric of the candidate, and its difference to the base; none without a value.
pub(crate) fn compare(metric: &str, base: &Side, candidate: &Side) -> Option<Figures> {
    let after = Sample::of(candidate.values.get(metric)?)?;
    let before = base.values.get(metric).and_then(Sample::of);
    let same_workload = base.workload.is_some() && base.workload == candidate.workload;
    let (difference, delta_basis) = match before {
        Some(before) => difference(&before, &after, same_workload),
        None => (None, String::new()),
    };
    let bounds = difference.and_then(|(_, bounds)| bounds);
    Some(Figures {
        value: after.mean,
        lo: after.bounds.map(|(lo, _)| lo),
        hi: after.bounds.map(|(_, hi)| hi),
        delta: difference.map(|(delta, _)| delta),
        delta_lo: bounds.map(|(lo, _)| lo),
        delta_hi: bounds.map(|(_, hi)| hi),
        value_basis: format!(" over {}", after.draws()),
        delta_basis,
        provenance: candidate.provenance,
    })
}

/// The values of one metric on one side.
struct Sample<'a> {
    values: &'a BTreeMap<u64, Value>,
    mean: f64,
    /// 95 % bounds of the mean: over draws, or what the only trial gives.
    bounds: Option<(f64, f64)>,
}

impl<'a> Sample<'a> {
    fn of(values: &'a BTreeMap<u64, Value>) -> Option<Self> {
        let found = mean(
            &values
                .values()
                .map(|value| value.value)
                .collect::<Vec<f64>>(),
        )?;
        let only = values.values().next().filter(|_| values.len() == 1);
        Some(Self {
            values,
            mean: found.mean,
            bounds: only.map_or(found.bounds, |value| value.bounds),
        })
    }

    fn logs(&self) -> Vec<f64> {
        self.values.values().map(|value| value.value.ln()).collect()
    }

    fn draws(&self) -> String {
        match self.values.len() {
            1 => "one trial".to_owned(),
            n => format!("{n} draws"),
        }
    }
}

/// The relative difference, and what it rests on.
fn difference(
    before: &Sample<'_>,
    after: &Sample<'_>,
    same_workload: bool,
) -> (Option<Difference>, String) {
    let common = before.values.iter().filter_map(|(draw, before)| {
        let after = after.values.get(draw)?;
        Some((before.value, after.value))
    });
    let common: Vec<(f64, f64)> = common.collect();
    if same_workload && common.len() > 1 {
        let basis = format!(", paired over {} common draws", common.len());
        return (of_pairs(&common), basis);
    }
    let basis = format!(", not paired, {} against {}", after.draws(), before.draws());
    if before.values.len() > 1 && after.values.len() > 1 {
        return (of_samples(&before.logs(), &after.logs()), basis);
    }
    let basis = match (before.bounds, after.bounds) {
        (Some(_), Some(_)) => basis,
        (None, Some(_)) => format!("{basis}; the base has no interval and is taken as exact"),
        (_, None) => format!("{basis}, without an interval"),
    };
    (of_means(before, after), basis)
}

fn of_pairs(pairs: &[(f64, f64)]) -> Option<Difference> {
    // Rates that are 0 on both sides have no logs.
    if pairs.iter().all(|(before, after)| before == after) {
        return Some((0.0, Some((0.0, 0.0))));
    }
    let all_positive = pairs
        .iter()
        .all(|(before, after)| *before > 0.0 && *after > 0.0);
    let found = paired(pairs.iter().copied()).filter(|_| all_positive)?;
    Some((found.change, found.bounds))
}

/// Of two means, from their own intervals.
fn of_means(before: &Sample<'_>, after: &Sample<'_>) -> Option<Difference> {
    if before.mean == after.mean && before.bounds == after.bounds {
        return Some((0.0, Some((0.0, 0.0))));
    }
    let (b_lo, b_hi) = before.bounds.unwrap_or((before.mean, before.mean));
    let bounds = after.bounds.filter(|_| b_lo > 0.0);
    let bounds = bounds.map(|(a_lo, a_hi)| (a_lo / b_hi - 1.0, a_hi / b_lo - 1.0));
    (before.mean > 0.0).then(|| (after.mean / before.mean - 1.0, bounds))
}

/// Welch's interval of the difference of two means of logs; the ends as changes.
fn of_samples(before: &[f64], after: &[f64]) -> Option<Difference> {
    let (b, a) = (mean(before)?, mean(after)?);
    let difference = Some(a.mean - b.mean).filter(|difference| difference.is_finite())?;
    let bounds = b.sd.zip(a.sd).and_then(|(b_sd, a_sd)| {
        let (b_var, a_var) = (b_sd.powi(2) / b.n as f64, a_sd.powi(2) / a.n as f64);
        let variance = a_var + b_var;
        let freedom = variance.powi(2)
            / (a_var.powi(2) / (a.n as f64 - 1.0) + b_var.powi(2) / (b.n as f64 - 1.0));
        let freedom = if freedom.is_finite() { freedom } else { 1.0 };
        let half = student_quantile(freedom.floor().max(1.0) as usize, 0.975)? * variance.sqrt();
        Some(((difference - half).exp_m1(), (difference + half).exp_m1()))
    });
    Some((difference.exp_m1(), bounds))
}

#[cfg(test)]
mod tests {
    use sbt_engine::Digest;
    use sbt_schemas::Provenance;

    use super::*;

    fn side(workload: Option<&str>, values: &[(u64, f64)]) -> Side {
        let values = values.iter().map(|(draw, value)| {
            let bounds = None;
            (
                *draw,
                Value {
                    value: *value,
                    bounds,
                },
            )
        });
        Side {
            config_name: "x".to_owned(),
            provenance: Provenance::Simulated,
            workload: workload.map(|text| Digest::of(text.as_bytes())),
            values: [("e2e_p95_s".to_owned(), values.collect())].into(),
            failures: Vec::new(),
        }
    }

    #[test]
    fn common_draws_of_one_workload_are_paired() {
        let before = side(Some("w"), &[(1, 1.0), (2, 5.0), (3, 2.0)]);
        let after = side(Some("w"), &[(1, 1.1), (2, 5.5), (3, 2.2)]);
        let found = compare("e2e_p95_s", &before, &after).unwrap();
        assert!((found.delta.unwrap() - 0.1).abs() < 1e-9);
        assert!(found.delta_hi.unwrap() - found.delta_lo.unwrap() < 1e-6);
        assert_eq!(found.delta_basis, ", paired over 3 common draws");
    }

    #[test]
    fn other_workloads_are_not_paired_and_widen_the_interval() {
        let before = side(Some("v"), &[(1, 1.0), (2, 5.0), (3, 2.0)]);
        let after = side(Some("w"), &[(1, 1.1), (2, 5.5), (3, 2.2)]);
        let found = compare("e2e_p95_s", &before, &after).unwrap();
        assert!(found.delta_lo.unwrap() < 0.0 && found.delta_hi.unwrap() > 1.0);
        assert_eq!(found.delta_basis, ", not paired, 3 draws against 3 draws");
    }

    #[test]
    fn single_trials_are_compared_by_their_own_intervals() {
        let with = |value: f64| {
            let mut side = side(None, &[(0, value)]);
            let draws = side.values.get_mut("e2e_p95_s").unwrap();
            draws.get_mut(&0).unwrap().bounds = Some((value * 0.9, value * 1.2));
            side
        };
        let found = compare("e2e_p95_s", &with(1.0), &with(2.0)).unwrap();
        assert!((found.delta_lo.unwrap() - 0.5).abs() < 1e-12);
        assert!((found.delta_hi.unwrap() - (2.4 / 0.9 - 1.0)).abs() < 1e-12);
    }

    #[test]
    fn base_without_an_interval_is_taken_as_exact() {
        let after = side(None, &[(1, 1.0), (2, 1.2), (3, 1.1)]);
        let found = compare("e2e_p95_s", &side(None, &[(0, 1.0)]), &after).unwrap();
        assert!((found.delta.unwrap() - 0.1).abs() < 1e-9);
        assert_eq!(found.delta_hi.map(|hi| hi + 1.0), found.hi);
        assert!(found.delta_basis.ends_with("taken as exact"));
    }

    #[test]
    fn rate_that_stays_zero_is_no_change_and_one_that_rises_from_it_has_none() {
        let zero = side(Some("w"), &[(1, 0.0), (2, 0.0)]);
        let found = compare("e2e_p95_s", &zero, &zero).unwrap();
        assert_eq!((found.delta, found.delta_hi), (Some(0.0), Some(0.0)));
        let risen = side(Some("w"), &[(1, 0.0), (2, 0.5)]);
        let found = compare("e2e_p95_s", &zero, &risen).unwrap();
        assert_eq!((found.delta, found.value), (None, 0.25));
        assert_eq!(compare("ttft_p95_s", &zero, &zero), None);
    }
}
