//! One file per subcommand.

mod cache;
mod check;
mod completions;
mod diff;
mod doctor;
mod explain;
mod graph;
mod init;
mod pipeline;
mod run;
mod runs;
mod schema;
mod serve;
mod server;
mod show;
mod stages;
mod status;
mod stored;
mod table;
mod verdict_files;

use crate::arguments::{Arguments, Command};
use crate::environment::Environment;
use crate::failure::Failure;

pub(crate) fn dispatch(arguments: Arguments, environment: &Environment) -> Result<(), Failure> {
    let store = arguments.store;
    match &arguments.command {
        Command::Run(a) => run::run(a, &store, environment),
        Command::Check(a) => check::check(a, environment),
        Command::Graph(a) => graph::graph(a, environment),
        Command::Status(a) => status::status(a, &store, environment),
        Command::Explain(a) => explain::explain(a, &store, environment),
        Command::Runs(a) => runs::runs(a, &store),
        Command::Show(a) => show::show(a, &store),
        Command::Diff(a) => diff::diff(a, &store),
        Command::Table(a) => table::table(a, &store),
        Command::Cache(a) => cache::cache(a, &store),
        Command::Init(a) => init::init(a),
        Command::Stages(a) => stages::stages(a, environment),
        Command::Serve(a) => serve::serve(a, environment),
        Command::Doctor(a) => doctor::doctor(a, &store, environment),
        Command::Schema(a) => schema::schema(a),
        Command::Completions { shell } => completions::completions(*shell),
    }
}
