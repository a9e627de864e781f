//! Pipelines, their DAG, keys, store and runs. Knows no stage kind and no LLM.

mod diagnostic;
mod digest;
mod event;
mod graph;
mod pipeline;
mod stage;
mod store;
mod table;

pub use diagnostic::{Diagnostic, Diagnostics, Label, Place, SourceText};
pub use digest::{Digest, DigestParseError, canonical_json};
pub use event::{Event, EventSink};
pub use graph::{Graph, Selection, UnknownStage};
pub use pipeline::{
    CachePolicy, LoadOptions, Origin, Plan, PlannedStage, ResolvedValue, Wire, load,
    pipeline_schema, resolved,
};
pub use stage::{
    Cancel, FileParam, Input, Output, OutputKind, ParamError, Registry, Stage, StageContext,
    StageError, StageKind, Written, parse_params,
};
pub use store::{Durability, Memo, MemoError};
pub use table::{Table, TableIoError};
