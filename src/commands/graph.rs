use std::io::{self, Write};

use sbt_engine::Graph;

use crate::arguments::{GraphArgs, GraphFormat};
use crate::commands::pipeline;
use crate::environment::Environment;
use crate::failure::Failure;

pub(crate) fn graph(arguments: &GraphArgs, environment: &Environment) -> Result<(), Failure> {
    let plan = pipeline::plan(&arguments.pipeline, environment)?;
    let graph = Graph::new(&plan);
    let text = match arguments.format {
        GraphFormat::Text => graph.text(),
        GraphFormat::Dot => graph.dot(),
        GraphFormat::Mermaid => graph.mermaid(),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
