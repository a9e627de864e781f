//! From what was seen of a server that does not serve to the reason.

use std::io;

use sbt_schemas::Outcome;

use crate::{Exit, Failure, FailurePattern, Health, LaunchPlan, log};

/// Codes of a shell that did not find, or may not run, a program.
const NO_PROGRAM: [i32; 2] = [127, 126];

/// Outcome, reason, and whether the infrastructure is to blame.
type Judgement = (Outcome, String, bool);

/// What is known of a server that does not serve.
pub(crate) struct Evidence<'a> {
    pub(crate) plan: &'a LaunchPlan,
    /// Whether it had served before.
    pub(crate) was_ready: bool,
    /// How its first process ended.
    pub(crate) exit: Option<Exit>,
    /// Name of one of its processes that a signal has stopped.
    pub(crate) stopped: Option<String>,
    pub(crate) health: Health,
    /// Whether the kernel killed a process of this machine for memory since the start.
    pub(crate) killed_for_memory: bool,
    pub(crate) log: &'a str,
    /// Why the log is not whole.
    pub(crate) log_broken: Option<&'a io::Error>,
}

impl Evidence<'_> {
    /// The cause that the log tells first, then the kernel's word, then what the log tells of the
    /// consequences, then what was seen from outside.
    pub(crate) fn judge(&self) -> Failure {
        let (outcome, reason, infrastructure) = self
            .unwritten()
            .or_else(|| self.logged(false))
            .or_else(|| self.killed())
            .or_else(|| self.logged(true))
            .unwrap_or_else(|| {
                let (outcome, reason) = self.seen();
                (outcome, reason, self.has_no_program())
            });
        Failure {
            outcome,
            reason,
            infrastructure,
            log_tail: log::tail(self.log),
        }
    }

    fn unwritten(&self) -> Option<Judgement> {
        let error = self.log_broken?;
        let reason = format!("the log cannot be written: {error}");
        Some((self.seen().0, reason, true))
    }

    fn logged(&self, consequence: bool) -> Option<Judgement> {
        let (own, system) = (&self.plan.failures, of_the_system());
        let patterns = own.iter().chain(&system);
        let patterns = patterns.filter(|pattern| pattern.consequence == consequence);
        let (pattern, line) = FailurePattern::first(patterns, self.log)?;
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

    fn killed(&self) -> Option<Judgement> {
        self.killed_for_memory.then(|| {
            let reason = format!("{}; the kernel killed a process for memory", self.seen().1);
            (Outcome::Oom, reason, false)
        })
    }

    /// Whether the shell found no program to start: no configuration is to blame for that.
    fn has_no_program(&self) -> bool {
        let code = self.exit.filter(|_| !self.was_ready);
        matches!(code, Some(Exit::Code(code)) if NO_PROGRAM.contains(&code))
    }

    fn seen(&self) -> (Outcome, String) {
        let (program, path) = (self.plan.program(), &self.plan.ready_path);
        if let (None, Some(stopped)) = (self.exit, &self.stopped) {
            return (Outcome::Hung, format!("`{stopped}` is stopped by a signal"));
        }
        match (self.exit, self.was_ready) {
            _ if self.has_no_program() => {
                let said = log::last_line(self.log);
                let reason = format!("`{program}` cannot be started: {said}");
                (Outcome::LaunchFailed, reason)
            }
            (Some(exit), false) => {
                let reason = format!("`{program}` {exit} before it was ready");
                (Outcome::LaunchFailed, reason)
            }
            (Some(exit), true) => (Outcome::Crashed, format!("`{program}` {exit}")),
            (None, false) => {
                let (timeout_s, health) = (self.plan.start_timeout_s, &self.health);
                let reason =
                    format!("`{program}` was not ready within {timeout_s} s: {path} {health}");
                (Outcome::Hung, reason)
            }
            (None, true) => {
                let outcome = match self.health {
                    Health::Ready | Health::Silent(_) => Outcome::Hung,
                    Health::Status(_) => Outcome::Crashed,
                };
                let reason = format!("`{program}` runs, but {path} {}", self.health);
                (outcome, reason)
            }
        }
    }
}

/// What the system's own error texts mean, whichever server prints them.
fn of_the_system() -> [FailurePattern; 3] {
    let pattern = |matches: &str, outcome, reason: &str| FailurePattern {
        matches: matches.to_owned(),
        outcome,
        reason: reason.to_owned(),
        infrastructure: outcome == Outcome::LaunchFailed,
        consequence: false,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(killed_for_memory: bool, log: &str) -> Failure {
        let failures = serde_json::from_str(
            r#"[{"matches":"cause","outcome":"oom","reason":"no memory"},
                {"matches":"result","outcome":"launch_failed","reason":"bad flag"},
                {"matches":"consequence","outcome":"launch_failed","reason":"no engine",
                 "consequence":true}]"#,
        );
        let plan = LaunchPlan {
            argv: vec!["/opt/bin/server".to_owned()],
            env: [].into(),
            cwd: None,
            host: "127.0.0.1".to_owned(),
            port: 8_000,
            ready_path: "/health".to_owned(),
            start_timeout_s: 1.0,
            probe_timeout_s: 1.0,
            stop_grace_s: 1.0,
            log: "server.log".into(),
            log_limit_bytes: 0,
            failures: failures.unwrap(),
            gpus: Vec::new(),
            memory_tolerance_mb: 0.0,
            memory_timeout_s: 0.0,
        };
        let evidence = Evidence {
            plan: &plan,
            was_ready: false,
            exit: Some(Exit::Signal(9)),
            stopped: None,
            health: Health::Status(503),
            killed_for_memory,
            log,
            log_broken: None,
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
            "`server` was ended by signal 9 before it was ready; the kernel killed a process for \
             memory"
        );
        assert_eq!(judged(true, "result").outcome, Outcome::LaunchFailed);
        assert_eq!(judged(true, "consequence").outcome, Outcome::Oom);
    }

    #[test]
    fn full_disk_is_not_the_configurations_fault() {
        let failure = judged(false, "write: No space left on device");
        assert!(failure.infrastructure, "{failure}");
        assert!(!judged(false, "mmap: Cannot allocate memory").infrastructure);
    }
}
