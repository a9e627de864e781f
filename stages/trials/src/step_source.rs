use std::sync::Arc;

use sbt_engine::{Digest, FileParam, Input, StageContext, StageError};
use sbt_schemas::{CalibrationRow, Row};
use sbt_simulator::{Coefficients, StepSource, Term};
use serde_json::json;

use crate::{Backend, SimulatorBackend, kernel_tables};

/// Name of the folder of kernels among a stage's files.
const KERNELS: &str = "backend.kernels";
/// Input of every stage that runs trials: what the simulator's step times are multiplied with.
const CALIBRATION: &str = "calibration";

/// The input `calibration`: for [`sbt_engine::Stage::inputs`].
#[must_use]
pub fn calibration_input() -> Input {
    Input::optional(CALIBRATION, &CalibrationRow::TABLE)
}

/// Files that a backend names: for [`sbt_engine::Stage::files`].
#[must_use]
pub fn backend_files(backend: &Backend) -> Vec<FileParam> {
    match backend {
        Backend::Simulator(simulator) if !simulator.kernels.is_empty() => vec![FileParam {
            name: KERNELS.to_owned(),
            path: (&simulator.kernels).into(),
            folder: true,
        }],
        Backend::Simulator(_) | Backend::Server(_) | Backend::Endpoint(_) => Vec::new(),
    }
}

/// Where the step times of a stage's simulator are from, and a digest of it; none for the data
/// sheet.
///
/// # Errors
/// When tables are malformed, or the calibration has other terms.
pub(crate) fn step_source(
    ctx: &StageContext,
    backend: &SimulatorBackend,
) -> Result<(StepSource, Option<Digest>), StageError> {
    let mut source = StepSource::default();
    if !backend.kernels.is_empty() {
        let tables = kernel_tables(ctx.file(KERNELS)?).map_err(StageError::user)?;
        source.kernels = Some(Arc::new(tables));
    }
    source.coefficients = coefficients(&calibration(ctx)?)?;
    let digest = digest(&source);
    Ok((source, digest))
}

/// None for the data sheet.
pub(crate) fn digest(source: &StepSource) -> Option<Digest> {
    (source != &StepSource::default())
        .then(|| Digest::of_value("steps", &json!(format!("{source:?}"))))
}

/// Rows of the input `calibration`; none when it is not wired, or nothing was calibrated.
///
/// # Errors
/// When they cannot be read.
pub(crate) fn calibration(ctx: &StageContext) -> Result<Vec<CalibrationRow>, StageError> {
    let rows: Option<Vec<CalibrationRow>> = ctx.rows_if_wired(CALIBRATION)?;
    Ok(rows.unwrap_or_default())
}

fn coefficients(rows: &[CalibrationRow]) -> Result<Coefficients, StageError> {
    let mut coefficients = Coefficients::all(1.0);
    for row in rows {
        let term = Term::ALL.into_iter().find(|term| term.name() == row.term);
        let term = term.ok_or_else(|| {
            StageError::user(format!("input `calibration`: unknown term `{}`", row.term))
        })?;
        coefficients[term] = row.coefficient;
    }
    Ok(coefficients)
}
