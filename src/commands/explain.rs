use std::io::{self, Write};
use std::path::Path;

use sbt_engine::{Explanation, Graph, Selection, explain as explain_stage, forecast};

use crate::arguments::ExplainArgs;
use crate::commands::pipeline;
use crate::commands::stored::{open_log, open_store};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::terminal::style::Paint;

pub(crate) fn explain(
    arguments: &ExplainArgs,
    store: &Path,
    environment: &Environment,
) -> Result<(), Failure> {
    let plan = pipeline::plan_with_runs(&arguments.pipeline, store, environment)?;
    let selection = Selection {
        only: vec![arguments.stage.clone()],
        ..Selection::default()
    };
    let stages = Graph::new(&plan)
        .select(&selection)
        .map_err(Failure::usage)?;
    let store = open_store(store)?;
    let log = open_log(&store);
    let forecasts = forecast(&plan, &store, &log)?;
    let paint = Paint::new(environment.colour_out);
    let mut out = io::stdout().lock();
    for index in stages {
        let explanation = explain_stage(&plan, &forecasts, &store, &log, index);
        out.write_all(text(&explanation, paint).as_bytes())?;
    }
    Ok(())
}

fn text(explanation: &Explanation, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&explanation.stage));
    let key = explanation
        .key
        .map_or("not known yet".to_owned(), |key| key.short());
    text.push_str(&format!("  key     {key}\n"));
    if explanation.cached {
        text.push_str("  result  stored: it would not run\n");
    } else if !explanation.waiting_for.is_empty() {
        let stages = explanation.waiting_for.join(", ");
        text.push_str(&format!(
            "  waits   for {stages}: would run, and decide its key\n"
        ));
    } else {
        text.push_str("  result  none under this key: it would run\n");
    }
    match &explanation.earlier {
        None => text.push_str("  before  no earlier result to compare with\n"),
        Some(earlier) => {
            text.push_str(&format!("  before  {}; what differs:\n", earlier.short()));
            for difference in &explanation.differences {
                text.push_str(&format!("    {difference}\n"));
            }
        }
    }
    text
}
