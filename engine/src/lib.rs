//! Pipelines, their DAG, keys, store and runs. Knows no stage kind and no LLM.

mod digest;
mod event;
mod expr;
mod key;
mod pipeline;
mod run;
mod runlog;
mod stage;
mod store;
mod table;

pub use digest::{Digest, DigestParseError, canonical_json};
pub use event::{Event, EventSink};
pub use expr::{Expr, ExprError};
pub use key::Difference;
pub use pipeline::{CachePolicy, Plan, PlannedStage, Wire};
pub use run::{
    Explanation, Fate, Forecast, RunError, RunOptions, RunReport, StageFate, StageReport, explain,
    forecast, run,
};
pub use runlog::{
    RunEntry, RunLog, StageDifference, StageEntry, StoredVerdict, compare_runs, verdicts,
};
pub use stage::{
    Cancel, FileParam, Input, Output, OutputKind, ParamError, Registry, Stage, StageContext,
    StageError, StageKind, Written, nearest_name, parse_params,
};
pub use store::{
    Durability, Manifest, Memo, MemoError, ObjectFault, Store, StoreError, StoredOutput,
};
pub use table::{Table, TableIoError};
