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
    let arguments = arguments::Arguments::parse();
    let environment = environment::Environment::of_process();
    match commands::dispatch(arguments, &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&environment),
    }
}
