//! The registry: the one list of all stage kinds. `sbt stages`, the schema, validation and the
//! nearest-name advice all walk it.

use sbt_engine::{Registry, StageKind};

pub use sbt_quality::{SANDBOX, sandbox_main};
pub use sbt_trials::kill_servers;

pub use sbt_trials::{KnobSpec, ServerSpec};

/// Every kind that `uses = "…"` can name.
pub const KINDS: Registry = &[
    &sbt_workload::WorkloadKind as &dyn StageKind,
    &sbt_trials::TrialsKind,
    &sbt_quality::QualityKind,
    &sbt_search::SearchKind,
    &sbt_stability::StabilityKind,
    &sbt_study::StudyKind,
    &sbt_plan::PlanKind,
    &sbt_coverage::CoverageKind,
    &sbt_coverage::ShrinkageKind,
    &sbt_validate::ValidateKind,
    &sbt_gate::GateKind,
    &sbt_gate::RegressionKind,
    &sbt_render::RenderKind,
    &sbt_command::CommandKind,
];
