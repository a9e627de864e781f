use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sbt_engine::{
    Cancel, EventSink, Graph, Plan, RunOptions, RunReport, Selection, StageFate, StoredVerdict,
    Table, check_lock, forecast, place, run as run_plan, verdicts, write_lock,
};
use sbt_schemas::{Summary, TrialRow};

use crate::arguments::RunArgs;
use crate::commands::pipeline;
use crate::commands::status::forecast_lines;
use crate::commands::stored::{open_log, open_store};
use crate::commands::verdict_files::{add_step_summary, write_junit};
use crate::environment::Environment;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::terminal::closing::closing;
use crate::terminal::reporter::{JsonReporter, TerminalReporter};
use crate::terminal::style::Paint;
use crate::terminal::trials::trials;

pub(crate) fn run(
    arguments: &RunArgs,
    store: &Path,
    environment: &Environment,
) -> Result<(), Failure> {
    let plan = Arc::new(pipeline::plan_with_runs(
        &arguments.pipeline,
        store,
        environment,
    )?);
    let options = options(arguments, &plan, store)?;
    if arguments.dry_run {
        return dry_run(&plan, &options, environment);
    }
    if arguments.locked {
        locked_before(&plan, &options)?;
    }
    let cancel = Cancel::default();
    let interrupt = Interrupt::listen(cancel.clone())?;
    let sink: Arc<dyn EventSink> = if arguments.json {
        Arc::new(JsonReporter)
    } else {
        Arc::new(TerminalReporter::new(environment))
    };
    let report = run_plan(&plan, &options, sink, &cancel)?;
    if let Some(signal) = interrupt.signal().filter(|_| report.interrupted) {
        return Err(interrupted(signal, arguments));
    }
    if let Some(failure) = failed(&report, arguments) {
        return Err(failure);
    }
    finish(arguments, &plan, &options, &report, environment)
}

fn options(arguments: &RunArgs, plan: &Plan, store: &Path) -> Result<RunOptions, Failure> {
    let graph = Graph::new(plan);
    let select = |only: &[String], from: &[String], until: &[String]| {
        let selection = Selection {
            only: only.to_vec(),
            from: from.to_vec(),
            until: until.to_vec(),
        };
        graph.select(&selection).map_err(Failure::usage)
    };
    let narrowed = [&arguments.only, &arguments.from, &arguments.until]
        .iter()
        .any(|list| !list.is_empty());
    let selected = if narrowed {
        Some(select(&arguments.only, &arguments.from, &arguments.until)?)
    } else {
        None
    };
    let refresh = if arguments.refresh.is_empty() {
        BTreeSet::new()
    } else {
        select(&arguments.refresh, &[], &[])?
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(RunOptions {
        store: store.to_owned(),
        jobs: arguments.jobs.map_or(cores, usize::from),
        selected,
        refresh,
    })
}

fn dry_run(plan: &Plan, options: &RunOptions, environment: &Environment) -> Result<(), Failure> {
    let store = open_store(&options.store)?;
    let log = open_log(&store);
    let forecasts = forecast(plan, &store, &log)?;
    let wanted = |i: usize| options.selected.as_ref().is_none_or(|s| s.contains(&i));
    let shown: Vec<_> = forecasts
        .into_iter()
        .enumerate()
        .filter(|(i, _)| wanted(*i))
        .map(|(_, f)| f)
        .collect();
    io::stdout()
        .write_all(forecast_lines(&shown, Paint::new(environment.colour_out)).as_bytes())?;
    Ok(())
}

/// With `--locked`, nothing is measured for a pipeline that differs from its lock.
fn locked_before(plan: &Plan, options: &RunOptions) -> Result<(), Failure> {
    let store = open_store(&options.store)?;
    let forecasts = forecast(plan, &store, &open_log(&store))?;
    lock_verdict(check_lock(plan, &forecasts, None, &store)?)
}

fn lock_verdict(differences: Vec<String>) -> Result<(), Failure> {
    if differences.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = differences.iter().map(|line| format!("  {line}")).collect();
    Err(Failure::new(
        Exit::LockDiffers,
        format!(
            "the pipeline differs from its lock file:\n{}",
            lines.join("\n")
        ),
    )
    .hint("`sbt run --lock` agrees to the new state"))
}

fn interrupted(signal: i32, arguments: &RunArgs) -> Failure {
    let exit = Exit::of_signal(signal);
    Failure::new(exit, "stopped; what was finished is kept").hint(format!(
        "go on with: {}",
        pipeline::command_line("run", &arguments.pipeline)
    ))
}

fn failed(report: &RunReport, arguments: &RunArgs) -> Option<Failure> {
    let mut exit = Exit::StageFailed;
    let mut lines = Vec::new();
    for stage in report.failures() {
        if let StageFate::Failed {
            error,
            log,
            cannot_write,
        } = &stage.fate
        {
            if *cannot_write {
                exit = Exit::CannotWrite;
            }
            let log = log
                .as_ref()
                .map_or(String::new(), |log| format!(" (log: {log})"));
            lines.push(format!("{}: {error}{log}", stage.id));
        }
    }
    let first = lines.first()?;
    let others = lines.len() - 1;
    let message = if others > 0 {
        format!("{first}\nand {others} more")
    } else {
        first.clone()
    };
    Some(Failure::new(exit, format!("stage {message}")).hint(format!(
        "then go on with: {}",
        pipeline::command_line("run", &arguments.pipeline)
    )))
}

fn finish(
    arguments: &RunArgs,
    plan: &Plan,
    options: &RunOptions,
    report: &RunReport,
    environment: &Environment,
) -> Result<(), Failure> {
    let store = open_store(&options.store)?;
    if arguments.lock {
        write_lock(plan, report)?;
    }
    if arguments.locked {
        let forecasts = forecast(plan, &store, &open_log(&store))?;
        lock_verdict(check_lock(plan, &forecasts, Some(report), &store)?)?;
    }
    let mut results = None;
    if report.complete() && options.selected.is_none() {
        let out = arguments
            .out
            .clone()
            .unwrap_or_else(|| Path::new("results").join(&plan.name));
        place(plan, report, &store, &out)?;
        results = Some(out);
    }
    let verdicts = verdicts(report, &store);
    if let Some(path) = &arguments.junit {
        write_junit(path, &plan.name, &verdicts)?;
    }
    add_step_summary(&plan.name, &verdicts, environment)?;
    if !arguments.json {
        say(report, &verdicts, results.as_deref(), environment)?;
    }
    gates(&verdicts, arguments)
}

fn say(
    report: &RunReport,
    verdicts: &[(String, StoredVerdict)],
    results: Option<&Path>,
    environment: &Environment,
) -> Result<(), Failure> {
    let (ran, hits) = report.counts();
    let took = format!("{:.2} s", report.took_s);
    let line = if ran == 0 {
        format!("nothing to do: all {hits} stages are up to date ({took})")
    } else {
        format!("{ran} stages ran, {hits} were up to date ({took})")
    };
    writeln!(io::stderr(), "{line}")?;
    let Some(results) = results else {
        return Ok(());
    };
    let mut out = io::stdout().lock();
    if let Some(summary) = read_summary(&results.join("summary.json")) {
        let paint = Paint::new(environment.colour_out);
        out.write_all(closing(&summary, paint).as_bytes())?;
    } else {
        // Without a report of a decision the verdicts are the answer, or else the trials.
        if verdicts.is_empty() {
            out.write_all(trials(&placed_trials(results)).as_bytes())?;
        }
        for (_, verdict) in verdicts {
            let evidence = verdict.evidence.as_deref().unwrap_or_default();
            let (ended, check) = (&verdict.verdict, &verdict.check);
            writeln!(out, "  {ended:<17} {check}: {evidence}")?;
        }
    }
    let report: PathBuf = results.join("report.html");
    let shown = if report.exists() {
        report
    } else {
        results.to_owned()
    };
    writeln!(out, "  {:<17} {}", "results", shown.display())?;
    Ok(())
}

/// Trials among the placed tables, by stage.
fn placed_trials(results: &Path) -> Vec<(String, Vec<TrialRow>)> {
    let files = fs::read_dir(results.join("tables")).into_iter().flatten();
    let mut stages: Vec<(String, Vec<TrialRow>)> = files
        .filter_map(|file| {
            let path = file.ok()?.path();
            let stage = path
                .file_name()?
                .to_str()?
                .strip_suffix(".trials.parquet")?;
            let table = Table::from_parquet(fs::read(&path).ok()?).ok()?;
            Some((stage.to_owned(), table.rows().ok()?))
        })
        .collect();
    stages.sort_by(|a, b| a.0.cmp(&b.0));
    stages
}

/// What was decided or measured, when the pipeline renders it.
fn read_summary(path: &Path) -> Option<Summary> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

fn gates(verdicts: &[(String, StoredVerdict)], arguments: &RunArgs) -> Result<(), Failure> {
    let failed: Vec<String> = verdicts
        .iter()
        .filter(|(_, verdict)| verdict.verdict == "fail")
        .map(|(stage, verdict)| {
            let evidence = verdict.evidence.as_deref().unwrap_or_default();
            format!("  {stage}: {}: {evidence}", verdict.check)
        })
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::GateFailed,
        format!("a gate said no:\n{}", failed.join("\n")),
    )
    .hint(format!(
        "limits stand in {}",
        arguments.pipeline.pipeline.display()
    )))
}
