use sbt_engine::StageError;

use crate::load::Load;

/// Steps to bracket the limit beyond the first two rates.
const BRACKET_STEPS: u32 = 8;
/// The first two rates, over the static estimate; beyond them the bracket moves by the last one.
const BRACKET: (f64, f64) = (0.5, 1.5);
const TOO_SHORT: &str = "not known: the workload has too few requests to load a replica further";

/// The highest sustainable load.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Capacity {
    /// Highest scale of the arrival rate that was sustained.
    pub(crate) scale: Option<f64>,
    /// Requests per second there.
    pub(crate) max_rps: Option<f64>,
    /// Bound of the share of misses there.
    pub(crate) miss_ucb: Option<f64>,
    /// Requests per second at the lowest scale that was not.
    pub(crate) limit_rps: Option<f64>,
    /// What broke there.
    pub(crate) limited_by: Option<String>,
}

impl Capacity {
    fn sustained(&mut self, scale: f64, rps: f64, miss_ucb: f64) {
        self.scale = Some(scale);
        self.max_rps = Some(rps);
        self.miss_ucb = Some(miss_ucb);
    }
}

/// Finds the highest scale of the arrival rate that is sustained: brackets it around an estimate,
/// then bisects on a log scale until the bracket is within `tolerance`.
pub(crate) fn capacity(
    estimate: f64,
    tolerance: f64,
    mut try_scale: impl FnMut(f64) -> Result<Load, StageError>,
) -> Result<Capacity, StageError> {
    let mut found = Capacity::default();
    let (mut low, mut high): (Option<f64>, Option<f64>) = (None, None);
    let mut scale = estimate * BRACKET.0;
    let mut steps = 0;
    loop {
        match try_scale(scale)? {
            Load::Sustained { rps, miss_ucb } => {
                low = Some(scale);
                found.sustained(scale, rps, miss_ucb);
            }
            Load::Broken(rps, why) => {
                high = Some(scale);
                found.limit_rps = rps;
                found.limited_by = Some(why);
            }
            Load::TooShort => {
                high = Some(scale);
                found.limit_rps = None;
                found.limited_by = Some(TOO_SHORT.to_owned());
            }
        }
        scale = match (low, high) {
            (Some(low), Some(high)) if high / low - 1.0 <= tolerance => return Ok(found),
            (Some(low), Some(high)) => (low * high).sqrt(),
            _ if steps >= BRACKET_STEPS => return Ok(found),
            (Some(_), None) if steps == 0 => estimate * BRACKET.1,
            (Some(low), None) => low * BRACKET.1,
            (None, _) => scale * BRACKET.0,
        };
        steps += 1;
    }
}

/// Lowers a capacity until other draws sustain it too.
pub(crate) fn confirm(
    found: &mut Capacity,
    tolerance: f64,
    mut try_scale: impl FnMut(f64) -> Result<Load, StageError>,
) -> Result<(), StageError> {
    let Some(mut scale) = found.scale else {
        return Ok(());
    };
    for _ in 0..BRACKET_STEPS {
        match try_scale(scale)? {
            Load::Sustained { rps, miss_ucb } => {
                found.sustained(scale, rps, miss_ucb);
                return Ok(());
            }
            Load::TooShort => return Ok(()),
            Load::Broken(rps, why) => {
                found.limit_rps = rps;
                found.limited_by = Some(format!("on fresh draws: {why}"));
            }
        }
        scale /= 1.0 + tolerance;
    }
    (found.scale, found.max_rps, found.miss_ucb) = (None, None, None);
    Ok(())
}

/// Whether no scale above which one was sustained was itself not.
pub(crate) fn is_monotone(tried: &[(f64, bool)]) -> bool {
    let broken = tried.iter().filter(|(_, sustained)| !sustained);
    let lowest_broken = broken
        .map(|(scale, _)| *scale)
        .fold(f64::INFINITY, f64::min);
    let sustained = tried.iter().filter(|(_, sustained)| *sustained);
    sustained
        .into_iter()
        .all(|(scale, _)| *scale < lowest_broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited_at(limit: f64) -> impl FnMut(f64) -> Result<Load, StageError> {
        move |scale| {
            Ok(if scale <= limit {
                Load::Sustained {
                    rps: scale * 10.0,
                    miss_ucb: 0.01,
                }
            } else {
                Load::Broken(Some(limit * 10.0), "slo".to_owned())
            })
        }
    }

    #[test]
    fn limit_is_met_within_the_tolerance_however_far_the_estimate_is_off() {
        for limit in [0.07, 0.9, 1.0, 3.3, 20.0] {
            let mut tried = 0;
            let mut one = limited_at(limit);
            let found = capacity(1.0, 0.03, |scale| {
                tried += 1;
                one(scale)
            });
            let found = found.unwrap();
            let rps = found.max_rps.unwrap();
            assert!(
                rps <= limit * 10.0 && rps >= limit * 10.0 / 1.03,
                "{limit}: {found:?}"
            );
            assert!(tried <= 18, "{limit}: {tried}");
        }
    }

    #[test]
    fn good_estimate_takes_eight_rates() {
        let mut tried = 0;
        let mut one = limited_at(3.3);
        capacity(3.0, 0.03, |scale| {
            tried += 1;
            one(scale)
        })
        .unwrap();
        assert!(tried <= 8, "{tried}");
    }

    #[test]
    fn rate_that_cannot_be_judged_leaves_a_lower_bound() {
        let found = capacity(1.0, 0.03, |scale| {
            Ok(if scale <= 4.0 {
                Load::Sustained {
                    rps: scale,
                    miss_ucb: 0.0,
                }
            } else {
                Load::TooShort
            })
        });
        let found = found.unwrap();
        assert!(found.max_rps.is_some_and(|rps| rps <= 4.0 && rps > 3.8));
        assert!(found.limited_by.unwrap().contains("too few requests"));
        assert_eq!(found.limit_rps, None);
    }

    #[test]
    fn hopeless_and_unbounded_loads_end_without_an_invented_number() {
        let hopeless = capacity(1.0, 0.03, limited_at(0.0)).unwrap();
        assert_eq!((hopeless.scale, hopeless.max_rps), (None, None));
        let unbounded = capacity(1.0, 0.03, limited_at(f64::INFINITY)).unwrap();
        assert_eq!(unbounded.limited_by, None);
    }

    #[test]
    fn fresh_draws_lower_what_they_do_not_sustain() {
        let mut found = capacity(1.0, 0.03, limited_at(2.0)).unwrap();
        let before = found.scale.unwrap();
        confirm(&mut found, 0.03, limited_at(1.9)).unwrap();
        assert!(
            found.scale.unwrap() <= 1.9 && found.scale.unwrap() > 1.8,
            "{before} {found:?}"
        );
        confirm(&mut found, 0.03, limited_at(0.1)).unwrap();
        assert_eq!(found.max_rps, None);
    }

    #[test]
    fn sustained_above_broken_is_not_monotone() {
        assert!(is_monotone(&[(1.0, true), (3.0, false), (2.0, true)]));
        assert!(!is_monotone(&[(1.0, false), (2.0, true)]));
        assert!(is_monotone(&[]));
    }
}
