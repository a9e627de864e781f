//! The command `sbt`: arguments in, what the terminal shows out.

mod arguments;
mod commands;
mod environment;
mod failure;
mod interrupt;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Before anything that starts a thread or reads the rest: a model's program is held by this
    // binary, started again.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|first| first == sbt_stages::SANDBOX)
    {
        return sbt_stages::sandbox_main();
    }
    let arguments = arguments::Arguments::parse();
    let environment = environment::Environment::of_process();
    match commands::dispatch(arguments, &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&environment),
    }
}
