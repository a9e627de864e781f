use std::collections::BTreeMap;

use sbt_engine::{FileParam, ParamError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::arrival::Arrival;
use crate::problems::Problems;
use crate::profile::Profile;
use crate::shorthand::profile_or_name;

/// `with` of a workload stage: a profile to draw from, or a trace to take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkloadParams {
    /// What to draw, or the name of one of `profiles`; not used when a trace is given.
    #[schemars(schema_with = "profile_or_name")]
    pub profile: Option<Profile>,
    /// Profiles that `profile` may name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, Profile>,
    /// Tokens of every prompt, instead of the profile's; 0 leaves them.
    #[serde(skip_serializing_if = "is_zero")]
    pub prompt_tokens: u64,
    /// Tokens of every answer, instead of the profile's; 0 leaves them.
    #[serde(skip_serializing_if = "is_zero")]
    pub output_tokens: u64,
    /// Users of a closed loop, instead of the arrivals; 0 leaves them.
    #[serde(skip_serializing_if = "is_zero")]
    pub users: u64,
    /// Requests of one draw; 0 is all of a trace, in one draw.
    pub requests: u64,
    /// Independent realisations. A search measures on draw 0; the winners are confirmed on the
    /// others. Of a trace, draws are consecutive stretches that do not overlap.
    pub draws: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Replaces the arrivals of the profile, or of the trace.
    pub arrival: Option<Arrival>,
    /// Factor on the rate of first turns: 2 makes them come twice as fast. Pauses stay.
    pub rate_scale: f64,
    /// Mean requests per second to which the rate is scaled instead. Each draw of a trace is
    /// stretched to have exactly this rate. 0 leaves the rate.
    pub target_rps: Option<f64>,
    /// Path of a trace; empty for none. It may be compressed with gzip.
    pub trace: String,
    /// Where to fetch the trace instead; with `sha256`.
    pub url: String,
    /// SHA-256 that the fetched bytes must have, as 64 hex digits. It stands for the trace in the
    /// stage's key.
    pub sha256: String,
    /// Format of the trace.
    pub trace_format: TraceFormat,
    /// Columns of a plain CSV or Parquet trace.
    pub columns: Columns,
    /// Tokens of one block of a Mooncake trace's `hash_ids`.
    pub block_tokens: u64,
    /// Path of the length distributions that belong to a ServeGen trace: CSV with `category`,
    /// `client_id`, `window_start_s`, `field`, `tokens`, `probability`.
    pub lengths: String,
    /// Category of `lengths` to draw from; may be left out when there is only one.
    pub lengths_category: String,
    /// Part of the trace to take.
    pub window: Window,
    /// Share of the sessions of the trace to take; all when left out. The rate falls by it.
    pub sample: Option<Sample>,
    /// Requests of a trace with longer prompts are dropped.
    pub max_prompt_tokens: Option<u64>,
    /// Requests of a trace with longer answers are dropped.
    pub max_output_tokens: Option<u64>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How a trace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TraceFormat {
    /// Told from the content.
    Auto,
    /// Mooncake: JSON lines with `timestamp` (ms), `input_length`, `output_length`, `hash_ids`.
    Mooncake,
    /// Azure LLM inference trace: CSV with `TIMESTAMP`, `ContextTokens`, `GeneratedTokens`.
    Azure,
    /// BurstGPT: CSV with `Timestamp`, `Request tokens`, `Response tokens`, and in later releases
    /// `Session ID` and `Elapsed time`.
    Burstgpt,
    /// ServeGen: CSV with `client_id`, `window_start_s`, `rate_rps`, `cv`, `pattern`, `param1`,
    /// `param2`. Not requests but a model of them: each draw is a realisation of its own.
    Servegen,
    /// CSV with the columns that `columns` names.
    Csv,
    /// Parquet with the columns that `columns` names.
    Parquet,
}

/// Names of the columns of a plain CSV or Parquet trace. A column that is left out here is looked
/// for under the name of its field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// Intended send in seconds, from any origin. Without it the trace gives lengths only, and
    /// `arrival` must say when requests come.
    pub arrival_s: Option<String>,
    /// Tokens of the whole prompt.
    pub prompt_tokens: Option<String>,
    /// Tokens generated.
    pub output_tokens: Option<String>,
    /// Session; an empty cell is a session of its own.
    pub session: Option<String>,
    /// Pause in seconds after the end of the turn before. Without it, the pause is the time
    /// between the two sends less `duration_s`.
    pub think_s: Option<String>,
    /// Time in seconds that the request took when it was recorded; 0 without it.
    pub duration_s: Option<String>,
    /// Category.
    pub category: Option<String>,
    /// Prompt text.
    pub prompt: Option<String>,
}

/// Part of a trace, in seconds from its first request (ServeGen: on its own clock, `window_start_s`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Window {
    /// Start.
    pub start_s: f64,
    /// Length; to the end of the trace when left out.
    pub length_s: Option<f64>,
}

/// Share of the sessions of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// Each with this probability.
    Fraction(f64),
    /// Every n-th.
    Every(u64),
}

impl Default for WorkloadParams {
    fn default() -> Self {
        Self {
            profile: None,
            profiles: BTreeMap::new(),
            prompt_tokens: 0,
            output_tokens: 0,
            users: 0,
            requests: 400,
            draws: 6,
            seed: 0,
            arrival: None,
            rate_scale: 1.0,
            target_rps: None,
            trace: String::new(),
            url: String::new(),
            sha256: String::new(),
            trace_format: TraceFormat::Auto,
            columns: Columns::default(),
            block_tokens: 512,
            lengths: String::new(),
            lengths_category: String::new(),
            window: Window::default(),
            sample: None,
            max_prompt_tokens: None,
            max_output_tokens: None,
        }
    }
}

impl Window {
    /// Whether a stretch of time has a part within.
    pub(crate) fn overlaps(&self, start_s: f64, end_s: f64) -> bool {
        let end = self
            .length_s
            .map_or(f64::INFINITY, |length| self.start_s + length);
        start_s < end && end_s > self.start_s
    }

    /// Whether a time lies within.
    pub(crate) fn holds(&self, time_s: f64) -> bool {
        time_s >= self.start_s
            && self
                .length_s
                .is_none_or(|length| time_s < self.start_s + length)
    }
}

impl WorkloadParams {
    /// Name of the trace in [`FileParam`]s.
    pub(crate) const TRACE: &'static str = "trace";
    /// Name of the length distributions in [`FileParam`]s.
    pub(crate) const LENGTHS: &'static str = "lengths";

    /// Whether requests come from a trace.
    pub(crate) fn has_trace(&self) -> bool {
        !self.trace.is_empty() || !self.url.is_empty()
    }

    /// The arrival process; none where the trace's own times hold.
    pub(crate) fn arrival(&self) -> Arrival {
        let of_profile = match &self.profile {
            Some(profile) if !self.has_trace() => profile.arrival.clone(),
            Some(_) | None => Arrival::Replay,
        };
        self.arrival.clone().unwrap_or(of_profile)
    }

    /// The files that are read.
    pub(crate) fn files(&self) -> Vec<FileParam> {
        if !self.has_trace() {
            return Vec::new();
        }
        [(Self::TRACE, &self.trace), (Self::LENGTHS, &self.lengths)]
            .into_iter()
            .filter(|(_, path)| !path.is_empty())
            .map(|(name, path)| FileParam {
                name: name.to_owned(),
                path: path.into(),
                folder: false,
            })
            .collect()
    }

    /// The parameters that shape the result: those of the source that is not used, and where
    /// files lie, are left at their defaults.
    pub(crate) fn for_key(&self) -> Self {
        let mut key = Self {
            trace: String::new(),
            url: String::new(),
            lengths: String::new(),
            sha256: self.sha256.to_ascii_lowercase(),
            ..self.clone()
        };
        if self.has_trace() {
            key.profile = None;
            return key;
        }
        Self {
            profile: key.profile,
            requests: key.requests,
            draws: key.draws,
            seed: key.seed,
            arrival: key.arrival,
            rate_scale: key.rate_scale,
            target_rps: key.target_rps,
            ..Self::default()
        }
    }

    /// Everything that is wrong with the parameters.
    pub(crate) fn check(&self) -> Result<(), Vec<ParamError>> {
        let mut problems = Problems::default();
        problems.require(
            self.requests > 0
                || (self.has_trace()
                    && self.draws == 1
                    && self.trace_format != TraceFormat::Servegen),
            "requests",
            "must be 1 or more; 0, with `draws = 1`, is all of a recorded trace",
        );
        problems.require(self.draws > 0, "draws", "must be 1 or more");
        problems.require(self.block_tokens > 0, "block_tokens", "must be 1 or more");
        if let Some(profile) = &self.profile {
            problems.under("profile", profile.problems());
        } else {
            problems.require(
                self.has_trace(),
                "profile",
                "nothing to serve: give a `profile`, or a `trace`",
            );
        }
        if let Some(arrival) = &self.arrival {
            problems.under("arrival", arrival.problems());
        }
        self.check_rate(&mut problems);
        self.check_trace(&mut problems);
        problems.into_result()
    }

    fn check_rate(&self, problems: &mut Problems) {
        problems.positive("rate_scale", self.rate_scale);
        let rescaled = self.rate_scale != 1.0;
        if let Some(target) = self.target_rps {
            problems.positive("target_rps", target);
            problems.require(
                !rescaled,
                "target_rps",
                "cannot be combined with `rate_scale`: give one of them",
            );
        }
        let arrival = self.arrival();
        let key = if self.arrival.is_some() {
            "arrival"
        } else {
            "profile"
        };
        problems.require(
            arrival != Arrival::Replay || self.has_trace() || self.profile.is_none(),
            key,
            "`replay` takes the times of a trace, and there is no `trace`",
        );
        problems.require(
            !((rescaled || self.target_rps.is_some()) && matches!(arrival, Arrival::ClosedLoop { .. })),
            key,
            "a closed loop has no rate to scale: change `users`, or leave `rate_scale` and `target_rps` out",
        );
    }

    fn check_trace(&self, problems: &mut Problems) {
        problems.require(
            self.trace.is_empty() || self.url.is_empty(),
            "url",
            "cannot be combined with `trace`: give one of them",
        );
        let digits = self.sha256.len() == 64 && self.sha256.bytes().all(|b| b.is_ascii_hexdigit());
        problems.require(
            self.url.is_empty() || digits,
            "sha256",
            "a trace that is fetched needs the SHA-256 of its bytes, as 64 hex digits",
        );
        problems.require(
            !self.has_trace()
                || self.trace_format != TraceFormat::Servegen
                || !self.lengths.is_empty(),
            "lengths",
            "a ServeGen trace has rates only: name the file of its length distributions",
        );
        let mut window = Problems::default();
        window.not_negative("start_s", self.window.start_s);
        if let Some(length) = self.window.length_s {
            window.positive("length_s", length);
        }
        problems.under("window", window);
        let sample_is_share = match self.sample {
            None => true,
            Some(Sample::Fraction(fraction)) => fraction > 0.0 && fraction <= 1.0,
            Some(Sample::Every(n)) => n > 0,
        };
        problems.require(
            sample_is_share,
            "sample",
            "must be a fraction above 0 and at most 1, or every n-th with n of 1 or more",
        );
    }
}
