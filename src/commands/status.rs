use std::io::{self, Write};
use std::path::Path;

use sbt_engine::{Fate, Forecast, forecast};
use serde_json::{Value, json};

use crate::arguments::StatusArgs;
use crate::commands::pipeline;
use crate::commands::stored::{open_log, open_store};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::terminal::style::Paint;

pub(crate) fn status(
    arguments: &StatusArgs,
    store: &Path,
    environment: &Environment,
) -> Result<(), Failure> {
    let plan = pipeline::plan_with_runs(&arguments.pipeline, store, environment)?;
    let store = open_store(store)?;
    let forecasts = forecast(&plan, &store, &open_log(&store))?;
    let mut out = io::stdout().lock();
    if arguments.json {
        let rows = forecasts.iter().map(|forecast| {
            json!({
                "stage": forecast.stage,
                "fate": forecast.fate,
                "why": forecast.why,
                "key": forecast.key,
                "measured_at": forecast.manifest.as_ref().and_then(|m| m.measured_at.clone()),
            })
        });
        writeln!(out, "{:#}", rows.collect::<Value>())?;
    } else {
        out.write_all(forecast_lines(&forecasts, Paint::new(environment.colour_out)).as_bytes())?;
    }
    Ok(())
}

/// A line per stage: what would become of it, and why.
pub(crate) fn forecast_lines(forecasts: &[Forecast], paint: Paint) -> String {
    let width = forecasts
        .iter()
        .map(|forecast| forecast.stage.len())
        .max()
        .unwrap_or(0);
    let lines = forecasts.iter().map(|forecast| {
        let fate = match forecast.fate {
            Fate::Cached => paint.green("cached"),
            Fate::WouldRun => paint.yellow("would run"),
            Fate::MayRun => paint.yellow("may run"),
            Fate::Off => paint.dim("off"),
        };
        let line = format!("{:width$}  {fate}  {}", forecast.stage, forecast.why);
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}
