//! How a program ended.

/// A program that ran, and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// How it ended.
    pub how: Ending,
    /// What it wrote to standard output.
    pub stdout: Stream,
    /// What it wrote to standard error.
    pub stderr: Stream,
    /// Time from the helper's start to its end, in seconds.
    pub wall_s: f64,
}

impl Finished {
    /// Whether it ended by itself and without an error.
    pub fn is_success(&self) -> bool {
        self.how == Ending::Exit(0)
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this code. Python ends with 1 after an exception.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// It used up [`cpu_s`](crate::Limits::cpu_s).
    CpuTime,
    /// It was killed after [`wall_s`](crate::Limits::wall_s).
    WallTime,
}

/// What a program wrote, as far as it was kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stream {
    /// The beginning, with bytes that are not UTF-8 replaced.
    pub text: String,
    /// Whether more came than was kept.
    pub cut: bool,
}
