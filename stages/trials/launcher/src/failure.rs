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
    /// Whether the line only says that something ended, not why: the kernel may know more.
    #[serde(default)]
    pub consequence: bool,
}

impl FailurePattern {
    /// The first pattern that occurs in a log, and the line where it does. Causes stand before
    /// consequences in a list of patterns.
    #[must_use]
    pub fn first<'p, 'l>(
        patterns: impl IntoIterator<Item = &'p Self>,
        log: &'l str,
    ) -> Option<(&'p Self, &'l str)> {
        patterns.into_iter().find_map(|pattern| {
            let line = log.lines().find(|line| line.contains(&pattern.matches));
            Some((pattern, line?.trim()))
        })
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_with_an_unknown_key_is_refused() {
        let wrong = r#"{"matches":"x","outcome":"oom","reason":"y","regex":true}"#;
        assert!(serde_json::from_str::<FailurePattern>(wrong).is_err());
    }
}
