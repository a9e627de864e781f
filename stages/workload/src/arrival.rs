use rand::{Rng, RngExt};
use rand_distr::{Exp1, Gamma};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problems::Problems;

/// When requests come. Rates count requests, later turns included: with several turns a session,
/// sessions start at the rate divided by the mean number of turns. A gap precedes each arrival,
/// the first one too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Arrival {
    /// Equal gaps.
    Constant {
        /// Requests per second.
        rps: f64,
    },
    /// Independent arrivals: exponential gaps.
    Poisson {
        /// Requests per second.
        rps: f64,
    },
    /// Gamma-distributed gaps: burstier than Poisson when `cv` is above 1.
    Gamma {
        /// Requests per second.
        rps: f64,
        /// Coefficient of variation of the gaps; 1 is Poisson.
        cv: f64,
    },
    /// Poisson arrivals whose rate alternates: first `off_s` at the base, then `on_s` at the peak.
    Burst {
        /// Requests per second between bursts.
        base_rps: f64,
        /// Requests per second within a burst.
        peak_rps: f64,
        /// Length of a burst.
        on_s: f64,
        /// Time between bursts.
        off_s: f64,
    },
    /// Poisson arrivals whose rate changes linearly, and then stays.
    Ramp {
        /// Requests per second at the start.
        from_rps: f64,
        /// Requests per second at the end.
        to_rps: f64,
        /// Length of the change; as long as the requests last when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_s: Option<f64>,
    },
    /// The times of the trace; only with a trace.
    Replay,
    /// A fixed number of users, each of whom sends when the answer before has ended. A user's
    /// conversations follow each other as turns of one session; each starts with an empty
    /// context. Such a load slows down with the server: results must be labelled closed loop,
    /// and their rate is an outcome, not an input.
    ClosedLoop {
        /// Users.
        users: u64,
        /// Pause between two conversations of a user.
        #[serde(default)]
        pause_s: f64,
        /// Time over which the first sends of the users are spread, so that they do not run in
        /// lockstep.
        #[serde(default = "default_stagger_s")]
        stagger_s: f64,
    },
}

/// Chosen: longer than a large prefill, shorter than any warm-up.
fn default_stagger_s() -> f64 {
    2.0
}

impl Arrival {
    /// A closed loop of users without pauses.
    pub(crate) fn closed_loop(users: u64) -> Self {
        Self::ClosedLoop {
            users,
            pause_s: 0.0,
            stagger_s: default_stagger_s(),
        }
    }

    /// Mean requests per second over a whole cycle; none where the kind has no rate of its own.
    pub(crate) fn mean_rps(&self) -> Option<f64> {
        match *self {
            Self::Constant { rps } | Self::Poisson { rps } | Self::Gamma { rps, .. } => Some(rps),
            Self::Burst {
                base_rps,
                peak_rps,
                on_s,
                off_s,
            } => Some((base_rps * off_s + peak_rps * on_s) / (off_s + on_s)),
            Self::Ramp {
                from_rps, to_rps, ..
            } => Some((from_rps + to_rps) / 2.0),
            Self::Replay | Self::ClosedLoop { .. } => None,
        }
    }

    /// The same process with all its rates multiplied.
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        let mut scaled = self.clone();
        match &mut scaled {
            Self::Constant { rps } | Self::Poisson { rps } | Self::Gamma { rps, .. } => {
                *rps *= factor;
            }
            Self::Burst {
                base_rps, peak_rps, ..
            } => {
                *base_rps *= factor;
                *peak_rps *= factor;
            }
            Self::Ramp {
                from_rps, to_rps, ..
            } => {
                *from_rps *= factor;
                *to_rps *= factor;
            }
            Self::Replay | Self::ClosedLoop { .. } => {}
        }
        scaled
    }

    /// Times in seconds of `count` arrivals: gaps of mean 1 add up to the expected number of
    /// arrivals so far, which the rate turns into a time.
    pub(crate) fn times(&self, count: usize, rng: &mut impl Rng) -> Vec<f64> {
        let mut expected = 0.0;
        let times = (0..count).map(|_| {
            expected += self.unit_gap(rng);
            self.time_of(expected, count as f64)
        });
        times.collect()
    }

    fn unit_gap(&self, rng: &mut impl Rng) -> f64 {
        match *self {
            Self::Constant { .. } => 1.0,
            Self::Gamma { cv, .. } => {
                let shape = 1.0 / (cv * cv);
                let gamma = Gamma::new(shape, 1.0 / shape)
                    .expect("`cv` was checked when the stage was planned");
                rng.sample(gamma)
            }
            Self::Poisson { .. }
            | Self::Burst { .. }
            | Self::Ramp { .. }
            | Self::Replay
            | Self::ClosedLoop { .. } => rng.sample(Exp1),
        }
    }

    /// The time at which the expected number of arrivals reaches a value, `count` being the
    /// number that is wanted in all.
    fn time_of(&self, expected: f64, count: f64) -> f64 {
        match *self {
            Self::Constant { rps } | Self::Poisson { rps } | Self::Gamma { rps, .. } => {
                expected / rps
            }
            Self::Burst {
                base_rps,
                peak_rps,
                on_s,
                off_s,
            } => {
                let (quiet, cycle) = (base_rps * off_s, base_rps * off_s + peak_rps * on_s);
                let cycles = (expected / cycle).floor();
                let rest = expected - cycles * cycle;
                let within = if rest < quiet {
                    rest / base_rps
                } else {
                    off_s + (rest - quiet) / peak_rps
                };
                cycles * (off_s + on_s) + within
            }
            Self::Ramp {
                from_rps,
                to_rps,
                duration_s,
            } => {
                let mean = (from_rps + to_rps) / 2.0;
                let duration = duration_s.unwrap_or(count / mean);
                let in_ramp = duration * mean;
                if expected >= in_ramp {
                    return duration + (expected - in_ramp) / to_rps;
                }
                let slope = (to_rps - from_rps) / duration;
                let root = (from_rps * from_rps + 2.0 * slope * expected)
                    .max(0.0)
                    .sqrt();
                2.0 * expected / (from_rps + root)
            }
            Self::Replay | Self::ClosedLoop { .. } => expected,
        }
    }

    /// What is wrong with the parameters.
    pub(crate) fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        match *self {
            Self::Constant { rps } | Self::Poisson { rps } => problems.positive("rps", rps),
            Self::Gamma { rps, cv } => {
                problems.positive("rps", rps);
                problems.positive("cv", cv);
            }
            Self::Burst {
                base_rps,
                peak_rps,
                on_s,
                off_s,
            } => {
                problems.not_negative("base_rps", base_rps);
                problems.positive("peak_rps", peak_rps);
                problems.positive("on_s", on_s);
                problems.not_negative("off_s", off_s);
            }
            Self::Ramp {
                from_rps,
                to_rps,
                duration_s,
            } => {
                problems.not_negative("from_rps", from_rps);
                problems.positive("to_rps", to_rps);
                if let Some(duration_s) = duration_s {
                    problems.positive("duration_s", duration_s);
                }
            }
            Self::Replay => {}
            Self::ClosedLoop {
                users,
                pause_s,
                stagger_s,
            } => {
                problems.require(users > 0, "users", "must be 1 or more");
                problems.not_negative("pause_s", pause_s);
                problems.not_negative("stagger_s", stagger_s);
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::streams::Streams;

    fn times(arrival: &Arrival, count: usize) -> Vec<f64> {
        arrival.times(count, &mut Streams { seed: 3, draw: 0 }.rng("arrivals"))
    }

    fn gaps(times: &[f64]) -> (f64, f64) {
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt() / mean)
    }

    fn any_process() -> impl Strategy<Value = Arrival> {
        let rate = || 0.1..50.0;
        prop_oneof![
            rate().prop_map(|rps| Arrival::Constant { rps }),
            rate().prop_map(|rps| Arrival::Poisson { rps }),
            (rate(), 0.2..4.0).prop_map(|(rps, cv)| Arrival::Gamma { rps, cv }),
            (0.0..5.0, rate(), 0.1..10.0, 0.0..10.0).prop_map(
                |(base_rps, peak_rps, on_s, off_s)| {
                    Arrival::Burst {
                        base_rps,
                        peak_rps,
                        on_s,
                        off_s,
                    }
                }
            ),
            (0.0..50.0, rate(), proptest::option::of(0.5..20.0)).prop_map(
                |(from_rps, to_rps, duration_s)| Arrival::Ramp {
                    from_rps,
                    to_rps,
                    duration_s,
                }
            ),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn times_rise_and_are_finite(arrival in any_process()) {
            prop_assert!(arrival.problems().into_result().is_ok());
            let times = times(&arrival, 200);
            prop_assert!(times.iter().all(|t| t.is_finite() && *t >= 0.0), "{times:?}");
            prop_assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
        }

        #[test]
        fn doubling_every_rate_of_a_homogeneous_process_halves_its_times(rps in 0.1..50.0, cv in 0.2..4.0) {
            let gamma = Arrival::Gamma { rps, cv };
            let (slow, fast) = (times(&gamma, 50), times(&gamma.scaled(2.0), 50));
            for (slow, fast) in slow.iter().zip(fast) {
                prop_assert!((slow / 2.0 - fast).abs() <= 1e-9 * slow);
            }
        }
    }

    #[test]
    fn gaps_have_the_mean_and_variation_asked_for() {
        let cases = [
            (Arrival::Constant { rps: 4.0 }, 0.0),
            (Arrival::Poisson { rps: 4.0 }, 1.0),
            (Arrival::Gamma { rps: 4.0, cv: 1.8 }, 1.8),
            (Arrival::Gamma { rps: 4.0, cv: 0.5 }, 0.5),
        ];
        for (arrival, cv) in cases {
            let (mean, found) = gaps(&times(&arrival, 40_000));
            assert!(
                (mean * 4.0 - 1.0).abs() < 0.03,
                "{arrival:?}: mean gap {mean}"
            );
            assert!((found - cv).abs() < 0.05, "{arrival:?}: cv {found}");
        }
    }

    #[test]
    fn burst_has_its_rates_in_its_phases() {
        let burst = Arrival::Burst {
            base_rps: 2.0,
            peak_rps: 20.0,
            on_s: 5.0,
            off_s: 10.0,
        };
        assert_eq!(burst.mean_rps(), Some(8.0));
        let times = times(&burst, 24_000);
        let cycles = times.last().unwrap() / 15.0;
        let quiet = times.iter().filter(|t| *t % 15.0 < 10.0).count() as f64;
        let busy = times.len() as f64 - quiet;
        assert!((quiet / cycles / 10.0 / 2.0 - 1.0).abs() < 0.05);
        assert!((busy / cycles / 5.0 / 20.0 - 1.0).abs() < 0.05);
    }

    #[test]
    fn ramp_over_the_requests_ends_with_them_at_the_final_rate() {
        let ramp = Arrival::Ramp {
            from_rps: 0.0,
            to_rps: 10.0,
            duration_s: None,
        };
        let times = times(&ramp, 10_000);
        let end = *times.last().unwrap();
        assert!(
            (end / 2000.0 - 1.0).abs() < 0.03,
            "10,000 at 5 rps on average: {end}"
        );
        let in_last_tenth = times.iter().filter(|t| **t > 0.9 * end).count() as f64;
        let rate = in_last_tenth / (0.1 * end);
        assert!((rate / 9.5 - 1.0).abs() < 0.1, "{rate}");
    }

    #[test]
    fn golden_arrivals_do_not_change() {
        let gamma = Arrival::Gamma { rps: 5.5, cv: 1.8 };
        let micros: Vec<u64> = times(&gamma, 4)
            .iter()
            .map(|t| (t * 1e6).round() as u64)
            .collect();
        assert_eq!(micros, [2_214_464, 2_813_583, 2_928_174, 2_928_203]);
    }
}
