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
fn of_the_system() -> [FailurePattern; 3] {
    let pattern = |matches: &str, outcome, reason: &str| FailurePattern {
        matches: matches.to_owned(),
        outcome,
        reason: reason.to_owned(),
        infrastructure: outcome == Outcome::LaunchFailed,
    };
    let (failed, memory) = (Outcome::LaunchFailed, Outcome::Oom);
    [
        pattern("Address already in use", failed, "the port is in use"),
        pattern("No space left on device", failed, "a disk is full"),
        pattern(
            "Cannot allocate memory",
            memory,
            "the machine ran out of memory",
        ),
    ]
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
        let system = of_the_system();
        let (pattern, line) = FailurePattern::first(self.patterns, self.log)
            .or_else(|| FailurePattern::first(&system, self.log))?;
        // A server that had come up did not fail to launch, whatever the line is listed for.
        let late = self.was_ready && pattern.outcome == Outcome::LaunchFailed;
        let outcome = if late {
            Outcome::Crashed
        } else {
            pattern.outcome
        };
        let reason = format!("{}: {line}", pattern.reason);
        Some((outcome, reason, pattern.infrastructure))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(killed_for_memory: bool, log: &str) -> Failure {
        let patterns: Vec<FailurePattern> = serde_json::from_str(
            r#"[{"matches":"cause","outcome":"oom","reason":"no memory"},
                {"matches":"consequence","outcome":"launch_failed","reason":"no engine"}]"#,
        )
        .unwrap();
        let evidence = Evidence {
            otherwise: (Outcome::LaunchFailed, "it ended".to_owned()),
            was_ready: false,
            killed_for_memory,
            patterns: &patterns,
            log,
            log_tail: crate::log::tail(log),
        };
        evidence.judge()
    }

    #[test]
    fn cause_is_told_before_its_consequence() {
        let failure = judged(false, "a\n  the consequence\n  the cause \nb");
        assert_eq!(failure.outcome, Outcome::Oom);
        assert_eq!(failure.reason, "no memory: the cause");
        let failure = judged(false, "the consequence");
        assert_eq!(failure.outcome, Outcome::LaunchFailed);
    }

    #[test]
    fn kill_for_memory_explains_what_the_log_does_not() {
        let failure = judged(true, "");
        assert_eq!(failure.outcome, Outcome::Oom);
        assert_eq!(
            failure.reason,
            "it ended; the kernel killed a process for memory"
        );
        assert_eq!(judged(true, "consequence").outcome, Outcome::LaunchFailed);
    }

    #[test]
    fn full_disk_is_not_the_configurations_fault() {
        let failure = judged(false, "write: No space left on device");
        assert!(failure.infrastructure, "{failure}");
        assert!(!judged(false, "mmap: Cannot allocate memory").infrastructure);
    }

    #[test]
    fn pattern_with_an_unknown_key_is_refused() {
        let wrong = r#"{"matches":"x","outcome":"oom","reason":"y","regex":true}"#;
        assert!(serde_json::from_str::<FailurePattern>(wrong).is_err());
    }
}
