//! Pipelines, their DAG, keys, store and runs. Knows no stage kind and no LLM.

mod bridge;
mod compare;
mod context;
mod diagnostic;
mod digest;
mod event;
mod export;
mod expr;
mod graph;
mod key;
mod lockfile;
mod params;
mod pipeline;
mod query;
mod reference;
mod results;
mod run;
mod runlog;
mod shell;
mod stage;
mod store;
mod table;
mod verdicts;

pub use compare::{StageDifference, compare_runs, result_file};
pub use context::{Cancel, StageContext, Written};
pub use diagnostic::{Diagnostic, Diagnostics, Label, Place, SourceText};
pub use digest::{Digest, DigestParseError, canonical_json};
pub use event::{Event, EventSink};
pub use expr::{Expr, ExprError};
pub use graph::{Graph, Selection, UnknownStage};
pub use key::Difference;
pub use lockfile::{check_lock, lock_path, write_lock};
pub use params::{ParamError, nearest_name, parse_params};
pub use pipeline::{
    CachePolicy, LoadOptions, Origin, Plan, PlannedStage, ResolvedValue, Wire, load,
    parse_duration, pipeline_schema, resolved,
};
pub use query::{Query, query};
pub use reference::find_table;
pub use results::{place, place_run};
pub use run::{
    Explanation, Fate, Forecast, RunError, RunOptions, RunReport, StageFate, StageReport, explain,
    forecast, run,
};
pub use runlog::{RunEntry, RunLog, StageEntry};
pub use shell::shell_line;
pub use stage::{FileParam, Input, Output, OutputKind, Registry, Stage, StageError, StageKind};
pub use store::{
    CacheEntry, Collected, Durability, Manifest, Memo, MemoError, ObjectFault, Store, StoreError,
    StoredOutput, Verified,
};
pub use table::{Table, TableIoError};
pub use verdicts::{StoredVerdict, verdicts};
