use std::fmt::Display;
use std::io::{self, Write};

use sbt_serve::{Bound, Ended, Engine, Fault, FaultRates, FixedTimes, Options, ServeError, bind};
use sbt_trials::{Backend, CatalogueEntry, Config, Knob, SimulatorBackend};
use serde_json::json;
use tokio::runtime::Builder;

use crate::arguments::ServeArgs;
use crate::environment::Environment;
use crate::failure::{Exit, Failure};
use crate::interrupt::Signals;

pub(crate) fn serve(arguments: &ServeArgs, environment: &Environment) -> Result<(), Failure> {
    let options = options(arguments, environment)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(options, arguments))
}

/// Serves until a signal: that is how a server ends, and the exit code says which.
async fn run(options: Options, arguments: &ServeArgs) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let bound = tokio::select! {
        bound = bind(options) => bound.map_err(unserved)?,
        signal = signals.next() => return Err(Failure::new(Exit::of_signal(signal), "")),
    };
    announce(&bound, arguments)?;
    let mut signal = 0;
    let ended = bound.serve(async { signal = signals.next().await }).await;
    match ended.map_err(unserved)? {
        Ended::Stopped => Err(Failure::new(Exit::of_signal(signal), "")),
        Ended::Crashed => Err(Failure::new(
            Exit::StageFailed,
            "crashed, as asked for by --crash-after",
        )),
    }
}

fn announce(bound: &Bound, arguments: &ServeArgs) -> Result<(), Failure> {
    let (model, url) = (&arguments.model, bound.url());
    let how = match &arguments.fixed {
        Some(times) => format!("fixed times {times}"),
        None => format!(
            "{}, {} x {}",
            arguments.server, arguments.gpus, arguments.gpu
        ),
    };
    writeln!(io::stderr(), "serving SIMULATED {model} ({how}) on {url}")?;
    if arguments.json {
        let line = json!({ "url": url, "model": model, "simulated": true });
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    Ok(())
}

fn unserved(error: ServeError) -> Failure {
    let exit = match &error {
        ServeError::Truth { .. } => Exit::CannotWrite,
        ServeError::Listen { .. } | ServeError::System(_) => Exit::StageFailed,
    };
    Failure::new(exit, error)
}

fn options(arguments: &ServeArgs, environment: &Environment) -> Result<Options, Failure> {
    let positive = |flag: &str, value: f64, most: f64| {
        let message = format!("{flag} is {value}, expected a number from 0 to {most}");
        let good = value >= 0.0 && value <= most;
        if good {
            Ok(value)
        } else {
            Err(Failure::usage(message))
        }
    };
    let faults = arguments.faults.iter().map(|fault| rate(fault));
    Ok(Options {
        host: arguments.host.clone(),
        port: arguments.port,
        speed: positive("--speed", arguments.speed, 1e6)?.max(1e-6),
        tokens_per_event: arguments.tokens_per_event,
        events_per_write: arguments.events_per_write,
        faults: FaultRates {
            rates: faults.collect::<Result<_, _>>()?,
            seed: arguments.seed,
        },
        api_key: key(arguments, environment)?,
        truth: arguments.truth.clone(),
        crash_after: arguments.crash_after,
        refuse_after: arguments.refuse_after,
        startup_s: positive("--startup-s", arguments.startup_s, 86_400.0)?,
        ..Options::new(arguments.model.clone(), engine(arguments)?)
    })
}

fn key(arguments: &ServeArgs, environment: &Environment) -> Result<Option<String>, Failure> {
    let Some(name) = &arguments.api_key_env else {
        return Ok(None);
    };
    match environment.variables.get(name) {
        Some(key) if !key.is_empty() => Ok(Some(key.clone())),
        Some(_) | None => Err(Failure::usage(format!(
            "--api-key-env: the environment variable {name} is not set"
        ))),
    }
}

fn rate(argument: &str) -> Result<(Fault, f64), Failure> {
    let (word, share) = argument.split_once('=').unwrap_or((argument, "1"));
    let fault = word.parse::<Fault>().map_err(Failure::usage)?;
    match share.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok((fault, share)),
        Ok(_) | Err(_) => Err(Failure::usage(format!(
            "--fault {argument}: expected WORD=SHARE with a share from 0 to 1"
        ))),
    }
}

fn engine(arguments: &ServeArgs) -> Result<Engine, Failure> {
    let simulator = SimulatorBackend {
        server: arguments.server.clone(),
        version: String::new(),
        model: CatalogueEntry::Named(arguments.model.clone()),
        gpu: CatalogueEntry::Named(arguments.gpu.clone()),
        gpus: arguments.gpus,
        kernels: String::new(),
        speculative_acceptance: Vec::new(),
        usd_per_gpu_hour: None,
    };
    if let Some(times) = &arguments.fixed {
        let model = simulator.model.resolve();
        let model = model.map_err(|e| Failure::usage(format!("--model: {e}")))?;
        return Ok(Engine::Fixed(fixed(times, model.max_model_len)?));
    }
    let sets = arguments.sets.iter().map(|set| knob(set));
    let config = Config {
        name: "serve".to_owned(),
        knobs: sets.collect::<Result<_, _>>()?,
    };
    let backend = Backend::Simulator(simulator.clone());
    let mut problems = backend.problems(&[]);
    problems.extend(backend.problems_of_config(&config, &["set"]));
    if !problems.is_empty() {
        let lines = problems
            .iter()
            .map(|p| format!("--{}: {}", p.path.join(" "), p.message));
        let failure = Failure::usage(lines.collect::<Vec<_>>().join("\n"));
        let helps = problems.iter().filter_map(|problem| problem.help.as_ref());
        return Err(helps.fold(failure, |failure, help| failure.hint(help)));
    }
    let server = simulator.launch(&config).map_err(does_not_start)?;
    let live = server
        .live()
        .ok_or_else(|| does_not_start("it simulates one engine, so `data_parallel_size` is 1"))?;
    Ok(Engine::Simulated(Box::new(live)))
}

fn does_not_start(reason: impl Display) -> Failure {
    Failure::usage(format!("the server does not start: {reason}"))
}

fn fixed(times: &str, max_model_len: u32) -> Result<FixedTimes, Failure> {
    let seconds = |text: &str| {
        let seconds = text.trim().parse::<f64>().ok();
        seconds.filter(|s| (0.0..=86_400.0).contains(s))
    };
    let pair = times.split_once(',').map(|(a, b)| (seconds(a), seconds(b)));
    match pair {
        Some((Some(ttft_s), Some(itl_s))) => Ok(FixedTimes {
            ttft_s,
            itl_s,
            max_model_len,
        }),
        Some(_) | None => Err(Failure::usage(format!(
            "--fixed {times}: expected two numbers of seconds, such as 0.1,0.02"
        ))),
    }
}

/// `NAME=VALUE`; a value that is no TOML is a word.
fn knob(argument: &str) -> Result<(String, Knob), Failure> {
    let Some((name, text)) = argument.split_once('=') else {
        let message = format!("--set {argument}: expected KNOB=VALUE");
        return Err(Failure::usage(message));
    };
    let table: Option<toml::Table> = format!("value = {text}").parse().ok();
    let value = table.and_then(|mut table| table.remove("value"));
    let value = value.unwrap_or_else(|| toml::Value::String(text.to_owned()));
    let knob: Knob = value.try_into().map_err(|_| {
        Failure::usage(format!(
            "--set {argument}: expected a boolean, number or word"
        ))
    })?;
    Ok((name.trim().to_owned(), knob))
}
