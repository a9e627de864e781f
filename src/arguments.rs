use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use sbt_serve::Fault;

const EXAMPLES: &str = "\
Examples:
  sbt run pipelines/agent_like.toml                       the whole decision, on the embedded simulator
  sbt run pipelines/agent_like.toml --set params.seed=7   with another seed; only what changes runs
  sbt check pipelines/agent_like.toml --resolved          final values and where each comes from
  sbt explain pipelines/agent_like.toml search            why a stage would run
  sbt table agent_like:stability.candidates --where 'feasible == true'

Exit codes:
  0 ok   1 a stage failed   2 bad usage or a bad pipeline   3 a gate said no   4 --locked differs
  65 data made by a newer sbt   73 cannot write   75 store locked   130/143 interrupted, resumable";

/// Which LLM serving configuration to deploy for a workload, with evidence.
#[derive(Parser)]
#[command(name = "sbt", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Where results are kept.
    #[arg(
        long,
        global = true,
        env = "SBT_STORE",
        default_value = ".sbt",
        value_name = "DIR"
    )]
    pub(crate) store: PathBuf,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline: only stages without a result under their key.
    Run(RunArgs),
    /// Check a pipeline: every error of the file at once; runs nothing.
    Check(CheckArgs),
    /// Show the stages of a pipeline and what feeds what.
    Graph(GraphArgs),
    /// Show what is cached and what would run.
    Status(StatusArgs),
    /// Say why a stage would run: which input differs from which earlier run.
    Explain(ExplainArgs),
    /// List earlier runs.
    Runs(JsonArgs),
    /// Show one run.
    Show(ShowArgs),
    /// Compare two runs stage by stage.
    Diff(DiffArgs),
    /// Print a table.
    Table(TableArgs),
    /// Look after the store.
    Cache(CacheArgs),
    /// Write a pipeline to start from.
    Init(InitArgs),
    /// List stage kinds, or show one: parameters, inputs, outputs.
    Stages(StagesArgs),
    /// Serve a simulated model behind an OpenAI-compatible port: no GPU needed.
    Serve(Box<ServeArgs>),
    /// Say what this machine can do.
    Doctor(JsonArgs),
    /// Print the JSON Schema of a pipeline or of a table.
    Schema(SchemaArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What a pipeline file is read with.
#[derive(Args, Clone)]
pub(crate) struct PipelineArgs {
    /// Pipeline file.
    pub(crate) pipeline: PathBuf,
    /// Override a value: a dotted path and a TOML value.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(crate) sets: Vec<String>,
    /// Profile of the pipeline to apply.
    #[arg(long, env = "SBT_PROFILE", value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Run just these stages; what they read must be cached.
    #[arg(long, value_name = "STAGE")]
    pub(crate) only: Vec<String>,
    /// Run these stages and everything after them.
    #[arg(long, value_name = "STAGE")]
    pub(crate) from: Vec<String>,
    /// Run up to these stages.
    #[arg(long, value_name = "STAGE")]
    pub(crate) until: Vec<String>,
    /// Run these stages again even if a result is stored.
    #[arg(long, value_name = "STAGE")]
    pub(crate) refresh: Vec<String>,
    /// Show what would run, and run nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Fail with exit code 4 when a key or digest differs from the lock file.
    #[arg(long, conflicts_with = "lock")]
    pub(crate) locked: bool,
    /// Write the lock file beside the pipeline after the run.
    #[arg(long)]
    pub(crate) lock: bool,
    /// Stages that may run at once, and threads for their trials.
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Where to place the results for people. Default: results/PIPELINE.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write the verdicts of gates as JUnit XML. In a job of GitHub Actions they also go to its summary.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Print one event per line as JSON on stdout, and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Print the final values and where each comes from.
    #[arg(long)]
    pub(crate) resolved: bool,
    /// Print diagnostics as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum GraphFormat {
    Text,
    Dot,
    Mermaid,
}

#[derive(Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Form of the output.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: GraphFormat,
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Stage, or one instance of a matrix such as `search[sampler=nsga2]`.
    pub(crate) stage: String,
}

#[derive(Args)]
pub(crate) struct JsonArgs {
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// Run, or the start of its name; `last` is the newest.
    pub(crate) run: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct DiffArgs {
    /// Earlier run, or the start of its name.
    pub(crate) before: String,
    /// Later run, or the start of its name.
    pub(crate) after: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    Table,
    Csv,
    Json,
    Parquet,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  sbt table agent_like:stability.candidates --where 'feasible == true' --select config_name,e2e_p95_s
  sbt table results/agent_like/tables/plan.plan.parquet --format csv")]
pub(crate) struct TableArgs {
    /// `PIPELINE:stage.table` of its last run, `RUN:stage.table`, or a Parquet file.
    pub(crate) reference: String,
    /// Rows to show, such as `ttft_p95_s < 1 and outcome == "ok"`.
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) condition: Option<String>,
    /// Columns to show.
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,…")]
    pub(crate) select: Vec<String>,
    /// Column to sort by; a leading `-` sorts downwards.
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
    /// Rows to show at most.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Form of the output.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: TableFormat,
}

#[derive(Args)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub(crate) action: CacheAction,
}

#[derive(Subcommand)]
pub(crate) enum CacheAction {
    /// List stored results.
    Ls(JsonArgs),
    /// Hash every object and say which are damaged.
    Verify {
        /// Set damaged objects aside, so that they are made again.
        #[arg(long)]
        fix: bool,
    },
    /// Remove results that nothing recent needs. Trial journals are kept.
    Gc {
        /// Keep what was used within this time, such as `30d`.
        #[arg(long, value_name = "TIME", default_value = "30d")]
        keep: String,
        /// Then remove the oldest until the store is not larger than this, such as `10GB`.
        #[arg(long, value_name = "SIZE")]
        max_size: Option<String>,
    },
}

#[derive(Args)]
pub(crate) struct InitArgs {
    /// Workload profile to start from.
    #[arg(value_parser = ["agent_like", "short_qa", "long_gen"], default_value = "agent_like")]
    pub(crate) profile: String,
    /// Folder to write into.
    #[arg(long, default_value = "pipelines", value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

#[derive(Args)]
pub(crate) struct StagesArgs {
    /// Kind to show in full.
    pub(crate) kind: Option<String>,
    /// Show a server instead: its knobs, and the rules between them.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct SchemaArgs {
    /// Table to describe; the pipeline file when left out.
    pub(crate) table: Option<String>,
    /// Write `pipeline.schema.json` and `tables/*.json` into a folder instead.
    #[arg(long, value_name = "DIR", conflicts_with = "table")]
    pub(crate) write: Option<PathBuf>,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  sbt serve                                               an 8B model on an H100, at port 8000
  sbt serve --gpu l40s --set max_num_seqs=8 --port 0      one knob changed, on a free port
  sbt serve --fixed 0.1,0.02 --truth truth.jsonl          fixed times, to calibrate a client
  sbt serve --fault http_503=0.05 --fault cut=0.01        faults at random, the same ones each time
  curl -H 'x-sbt-fault: hang' localhost:8000/v1/completions -d '{\"prompt\": \"hi\"}'

Faults, for --fault or the header x-sbt-fault:
";

fn serve_help() -> String {
    let faults = Fault::ALL
        .iter()
        .map(|(_, word, about)| format!("  {word:<17} {about}\n"));
    format!("{SERVE_EXAMPLES}{}", faults.collect::<String>())
}

#[derive(Args)]
#[command(after_help = serve_help())]
pub(crate) struct ServeArgs {
    /// Model, by its name in the simulator's catalogue.
    #[arg(long, default_value = "llama-3.1-8b", value_name = "NAME")]
    pub(crate) model: String,
    /// GPU, by its name in the simulator's catalogue.
    #[arg(long, default_value = "h100-sxm", value_name = "NAME")]
    pub(crate) gpu: String,
    /// GPUs of the machine.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) gpus: u64,
    /// Server that is simulated.
    #[arg(long, default_value = "vllm", value_name = "NAME")]
    pub(crate) server: String,
    /// Set a knob of the server.
    #[arg(long = "set", value_name = "KNOB=VALUE")]
    pub(crate) sets: Vec<String>,
    /// Address to listen at.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Port to listen at; 0 takes a free one.
    #[arg(long, default_value_t = 8000)]
    pub(crate) port: u16,
    /// Give tokens at these times instead of simulating: seconds to the first token, and between
    /// tokens.
    #[arg(long, value_name = "TTFT,ITL", conflicts_with_all = ["sets", "gpu", "gpus", "server"])]
    pub(crate) fixed: Option<String>,
    /// Let the engine's clock run so many times as fast.
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    pub(crate) speed: f64,
    /// Tokens an event.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tokens_per_event: u32,
    /// Events a write, where so many are due.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) events_per_write: u32,
    /// Play a fault on a share of the requests.
    #[arg(long = "fault", value_name = "WORD=SHARE")]
    pub(crate) faults: Vec<String>,
    /// Play the faults on other requests.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
    /// Crash as the N-th request to generate comes.
    #[arg(long, value_name = "N")]
    pub(crate) crash_after: Option<u64>,
    /// Refuse new connections once N requests to generate have come.
    #[arg(long, value_name = "N")]
    pub(crate) refuse_after: Option<u64>,
    /// Listen only after so many seconds, as a server that loads its model.
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS")]
    pub(crate) startup_s: f64,
    /// Write what the server saw of each request, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
    /// Environment variable with the key that requests must carry.
    #[arg(long, value_name = "NAME")]
    pub(crate) api_key_env: Option<String>,
    /// Print one line of JSON with the URL on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}
