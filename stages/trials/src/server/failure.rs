//! What a server's log says about its end.

use sbt_launcher::FailurePattern;

use super::ServerSpec;

impl ServerSpec {
    /// What the log of a server that ended says about it: the first pattern of the file that
    /// occurs, and the line where it does. Causes stand before consequences in the file.
    #[must_use]
    pub fn failure<'l>(&self, log: &'l str) -> Option<(&FailurePattern, &'l str)> {
        FailurePattern::first(&self.failures, log)
    }
}
