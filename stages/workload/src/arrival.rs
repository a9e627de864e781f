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
    /// arrivals so far, which the rate turns into a time. None where the kind has no process.
    pub(crate) fn times(&self, count: usize, rng: &mut impl Rng) -> Option<Vec<f64>> {
        self.mean_rps()?;
        let mut expected = 0.0;
        let times = (0..count).map(|_| {
            expected += self.unit_gap(rng);
            self.time_of(expected, count as f64)
        });
        Some(times.collect())
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
