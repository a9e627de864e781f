//! What a server's log says about its end.

use sbt_schemas::Outcome;
use serde::Deserialize;

use super::ServerSpec;

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

impl ServerSpec {
    /// What the log of a server that ended says about it: the first pattern of the file that
    /// occurs, and the line where it does. Causes stand before consequences in the file.
    #[must_use]
    pub fn failure<'l>(&self, log: &'l str) -> Option<(&FailurePattern, &'l str)> {
        self.failures.iter().find_map(|failure| {
            let line = log.lines().find(|line| line.contains(&failure.matches));
            Some((failure, line?.trim()))
        })
    }
}
