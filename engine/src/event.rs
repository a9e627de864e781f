use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// Everything that a run reports. Reporters match it without a wildcard, so that a new variant
/// cannot be overlooked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The plan is made, and work begins.
    RunStarted {
        /// Identity of the run.
        run: String,
        /// Pipeline.
        pipeline: String,
        /// Stage instances in order of the DAG.
        stages: Vec<String>,
    },
    /// The stage has a result under its key.
    StageHit {
        /// Stage instance.
        stage: String,
        /// Its key.
        key: Digest,
    },
    /// The stage begins to run.
    StageStarted {
        /// Stage instance.
        stage: String,
        /// Its key.
        key: Digest,
        /// Why it has to run.
        reason: String,
    },
    /// The stage got on.
    StageProgress {
        /// Stage instance.
        stage: String,
        /// Units of work done.
        done: u64,
        /// Units of work in all.
        total: u64,
        /// What is being done, in words.
        note: String,
    },
    /// A trial ended, or was known.
    TrialDone {
        /// Stage instance.
        stage: String,
        /// Memo key.
        key: Digest,
        /// How it ended.
        outcome: String,
        /// Whether the memo knew it.
        memo: bool,
    },
    /// The stage has its result.
    StageDone {
        /// Stage instance.
        stage: String,
        /// Its key.
        key: Digest,
        /// Wall time.
        took_s: f64,
        /// Digest of each output.
        outputs: BTreeMap<String, Digest>,
    },
    /// The stage failed.
    StageFailed {
        /// Stage instance.
        stage: String,
        /// Why.
        error: String,
        /// Attempt that failed, from 1.
        attempt: u32,
        /// Whether it is tried again.
        retrying: bool,
        /// Log of the stage, when it has one.
        log: Option<String>,
    },
    /// The stage did not run: what it needs failed, or its condition is false.
    StageSkipped {
        /// Stage instance.
        stage: String,
        /// Why.
        because: String,
    },
    /// Something that the user should know and that stopped nothing.
    Warning {
        /// Stage instance, when it is about one.
        stage: Option<String>,
        /// What.
        message: String,
    },
    /// An object of the store was damaged or gone; it is set aside and made again.
    CacheCorrupt {
        /// What was damaged.
        what: String,
        /// What is done about it.
        action: String,
    },
    /// The run ended.
    RunDone {
        /// Identity of the run.
        run: String,
        /// How: `ok`, `failed`, `interrupted`.
        outcome: String,
        /// Stages that ran.
        ran: u64,
        /// Stages whose result was known.
        hits: u64,
        /// Wall time.
        took_s: f64,
    },
}

/// Who hears of events. Called from many threads.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);
}
