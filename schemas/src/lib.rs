//! The tables that stages exchange: row types, units, outcomes.
//!
//! A row type is the one truth about its table: from it come the Arrow schema, typed access, the
//! JSON Schema under `schemas/tables/`, the check at each stage's border and the reference text.
//! Times are seconds as `f64`; a column's unit ends its name; a value that could not be obtained
//! is null, never 0.

mod attribution;
mod calibration;
mod candidates;
mod counterfactual;
mod fidelity;
mod intervals;
mod plan;
mod points;
mod predictions;
mod quality;
mod quality_items;
mod requests;
mod row;
mod stability;
mod study;
mod study_coverage;
mod study_shrinkage;
mod summary;
mod table;
mod telemetry;
mod trace;
mod trials;
mod value;
mod verdicts;
mod vocabulary;
mod workload;

pub use attribution::AttributionRow;
pub use calibration::CalibrationRow;
pub use candidates::CandidateRow;
pub use counterfactual::CounterfactualRow;
pub use fidelity::FidelityRow;
pub use intervals::IntervalRow;
pub use plan::{PlanRow, PlanSensitivityRow, RateCurveRow};
pub use points::PointRow;
pub use predictions::PredictionRow;
pub use quality::QualityRow;
pub use quality_items::QualityItemRow;
pub use requests::RequestRow;
pub use row::Row;
pub use stability::StabilityRow;
pub use study::StudyRow;
pub use study_coverage::StudyCoverageRow;
pub use study_shrinkage::StudyShrinkageRow;
pub use summary::{
    Effect, Estimate, FidelitySummary, Latency, Measurement, PlanSummary, Recommendation,
    SamplerSummary, Summary,
};
pub use table::{Column, TableError, TableSpec, unit};
pub use telemetry::TelemetryRow;
pub use trace::TraceRow;
pub use trials::TrialRow;
pub use value::{Cell, ColumnType, Value};
pub use verdicts::VerdictRow;
pub use vocabulary::{
    Outcome, Phase, PointUse, Population, Provenance, RequestStatus, TokenSource, Verdict,
};
pub use workload::WorkloadRow;

/// Every table, in the order of the reference: walked by the schema generator and the docs.
pub const TABLES: &[&TableSpec] = &[
    &WorkloadRow::TABLE,
    &TrialRow::TABLE,
    &RequestRow::TABLE,
    &TelemetryRow::TABLE,
    &QualityRow::TABLE,
    &QualityItemRow::TABLE,
    &CandidateRow::TABLE,
    &TraceRow::TABLE,
    &StabilityRow::TABLE,
    &StudyRow::TABLE,
    &PlanRow::TABLE,
    &PlanSensitivityRow::TABLE,
    &RateCurveRow::TABLE,
    &StudyCoverageRow::TABLE,
    &StudyShrinkageRow::TABLE,
    &AttributionRow::TABLE,
    &CounterfactualRow::TABLE,
    &FidelityRow::TABLE,
    &PredictionRow::TABLE,
    &IntervalRow::TABLE,
    &CalibrationRow::TABLE,
    &PointRow::TABLE,
    &VerdictRow::TABLE,
];
