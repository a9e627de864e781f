//! The command: arguments in, what the terminal shows out.

fn main() {}
