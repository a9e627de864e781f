use std::fmt;

use sbt_schemas::Outcome;
use serde::Deserialize;

/// What a line of a server's log means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailurePattern {
    /// Part of the line.
    pub matches: String,
    /// How the trial ended.
    pub outcome: Outcome,
    /// Why, for people.
    pub reason: String,
    /// Whether the configuration is not to blame (port busy): such an end is never remembered.
    #[serde(default)]
    pub infrastructure: bool,
}

impl FailurePattern {
    /// The first pattern that occurs in a log, and the line where it does. Causes stand before
    /// consequences in a list of patterns.
    #[must_use]
    pub fn first<'p, 'l>(patterns: &'p [Self], log: &'l str) -> Option<(&'p Self, &'l str)> {
        patterns.iter().find_map(|pattern| {
            let line = log.lines().find(|line| line.contains(&pattern.matches));
            Some((pattern, line?.trim()))
        })
    }
}

/// What the system's own error texts mean, whichever server prints them.
const OF_THE_SYSTEM: &[(&str, Outcome, &str, bool)] = &[
    (
        "Address already in use",
        Outcome::LaunchFailed,
        "the port is in use",
        true,
    ),
    (
        "No space left on device",
        Outcome::LaunchFailed,
        "a disk is full",
        true,
    ),
    (
        "Cannot allocate memory",
        Outcome::Oom,
        "the machine ran out of memory",
        false,
    ),
];

/// How a server came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with code {code}"),
            Self::Signal(signal) => write!(f, "was ended by signal {signal}"),
        }
    }
}

/// Why a server does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How the trial ended.
    pub outcome: Outcome,
    /// Why, for people, with the line of the log that says so.
    pub reason: String,
    /// Whether the configuration is not to blame (port busy, disk full): never remembered.
    pub infrastructure: bool,
    /// The last lines of the log.
    pub log_tail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Why a start did not give a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartError {
    /// The caller wanted to stop.
    Cancelled,
    /// The server did not become ready.
    Failed(Failure),
}

impl StartError {
    /// A failure that is not the configuration's, before there is a log.
    pub(crate) fn infrastructure(reason: String) -> Self {
        Self::Failed(Failure {
            outcome: Outcome::LaunchFailed,
            reason,
            infrastructure: true,
            log_tail: String::new(),
        })
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// What is known of a server that does not serve, before its log is read.
pub(crate) struct Evidence<'a> {
    /// Outcome and reason when the log does not say more.
    pub(crate) otherwise: (Outcome, String),
    /// Whether it had served before.
    pub(crate) was_ready: bool,
    /// Whether the kernel killed a process of this machine for memory since the start.
    pub(crate) killed_for_memory: bool,
    pub(crate) patterns: &'a [FailurePattern],
    pub(crate) log: &'a str,
    pub(crate) log_tail: String,
}

impl Evidence<'_> {
    /// The log's word first, then the kernel's, then what was seen from outside.
    pub(crate) fn judge(self) -> Failure {
        let (outcome, reason, infrastructure) = self
            .logged()
            .or_else(|| self.killed())
            .unwrap_or_else(|| (self.otherwise.0, self.otherwise.1.clone(), false));
        Failure {
            outcome,
            reason,
            infrastructure,
            log_tail: self.log_tail,
        }
    }

    fn logged(&self) -> Option<(Outcome, String, bool)> {
        let own = FailurePattern::first(self.patterns, self.log);
        let own = own.map(|(p, line)| (p.outcome, p.reason.as_str(), line, p.infrastructure));
        let (outcome, reason, line, infrastructure) = own.or_else(|| self.of_the_system())?;
        // A server that had come up did not fail to launch, whatever the line is listed for.
        let outcome = match outcome {
            Outcome::LaunchFailed if self.was_ready => Outcome::Crashed,
            other => other,
        };
        Some((outcome, format!("{reason}: {line}"), infrastructure))
    }

    fn of_the_system(&self) -> Option<(Outcome, &'static str, &str, bool)> {
        OF_THE_SYSTEM
            .iter()
            .find_map(|&(text, outcome, reason, infrastructure)| {
                let line = self.log.lines().find(|line| line.contains(text))?;
                Some((outcome, reason, line.trim(), infrastructure))
            })
    }

    fn killed(&self) -> Option<(Outcome, String, bool)> {
        self.killed_for_memory.then(|| {
            let reason = format!(
                "{}; the kernel killed a process for memory",
                self.otherwise.1
            );
            (Outcome::Oom, reason, false)
        })
    }
}
