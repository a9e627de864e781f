//! What a program may use.

use serde::{Deserialize, Serialize};

/// What a program may use. Memory and processor time hold for each process of the program; all of
/// them together are bounded by `processes` and `wall_s`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Processor time, in whole seconds, of one process.
    pub cpu_s: u64,
    /// Time from start to end, in seconds, after which everything is killed.
    pub wall_s: f64,
    /// Address space of one process, in MB of 2^20 bytes. Below about 100 Python does not start.
    pub memory_mb: u64,
    /// Size of one file, and of the temporary directory as a whole, in MB of 2^20 bytes.
    pub file_mb: u64,
    /// Processes and threads at one time.
    pub processes: u64,
    /// What is kept of standard output, and as much of standard error, in KB of 2^10 bytes.
    pub output_kb: usize,
}

impl Default for Limits {
    /// Chosen: a HumanEval check ends in far less than a second and a few ten MB.
    fn default() -> Self {
        Self {
            cpu_s: 5,
            wall_s: 10.0,
            memory_mb: 512,
            file_mb: 1,
            processes: 16,
            output_kb: 64,
        }
    }
}
