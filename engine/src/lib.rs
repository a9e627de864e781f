//! Pipelines, their DAG, keys, store and runs. Knows no stage kind and no LLM.

mod digest;
mod event;
mod expr;
mod pipeline;
mod stage;
mod store;
mod table;

pub use digest::{Digest, DigestParseError, canonical_json};
pub use event::{Event, EventSink};
pub use expr::{Expr, ExprError};
pub use pipeline::{CachePolicy, Plan, PlannedStage, Wire};
pub use stage::{
    Cancel, FileParam, Input, Output, OutputKind, ParamError, Registry, Stage, StageContext,
    StageError, StageKind, Written, nearest_name, parse_params,
};
pub use store::{Durability, Memo, MemoError};
pub use table::{Table, TableIoError};
